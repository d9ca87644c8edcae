import { readFileSync } from 'node:fs'

/**
 * Bytes that were resident at most, of the whole process: libraries, both heaps, weights. On Linux from the kernel's own account of
 * this program (getrusage's would begin with the memory of the process that started it).
 */
export function peakMemory(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1_024
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kibibytes) * 1_024
}
