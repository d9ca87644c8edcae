/** Smaller arrays are copied: they may lie in the pool of Node's buffers, which many share. */
const MIN_BYTES = 64 * 1_024 + 1

/** The memory of the large arrays anywhere in `value` (plain data, arrays, maps): what moves to another thread without a copy. */
export function transferables(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (typeof value !== 'object' || value === null) return found
  if (ArrayBuffer.isView(value)) {
    const { buffer } = value
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= MIN_BYTES) found.add(buffer)
    return found
  }
  // Rows of text can be many and hold no arrays: looking at the first is enough.
  const parts = Array.isArray(value) ? value.slice(0, 1) : inside(value)
  for (const part of parts) transferables(part, found)
  return found
}

function inside(value: object): Iterable<unknown> {
  return value instanceof Map ? value.values() : Object.values(value)
}
