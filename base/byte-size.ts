const UNITS: Readonly<Record<string, number>> = {
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
}

/** `4GB` is 4e9 bytes, `4GiB` 4 * 2^30; undefined for what is no size. */
export function byteSize(text: string): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([KMG]i?B)$/i.exec(text.trim()) ?? []
  const scale = UNITS[unit?.toUpperCase() ?? '']
  return scale === undefined ? undefined : Number(number) * scale
}
