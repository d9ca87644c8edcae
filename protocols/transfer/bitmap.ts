/** A set of chunk indices, one bit each, lowest bit of the first byte first. */
export class Bitmap {
  readonly length: number
  readonly bytes: Uint8Array

  /**
   * @param bytes taken over if it has the right length, else ignored: an unreadable bitmap is an
   * empty one
   */
  constructor(length: number, bytes?: Uint8Array) {
    this.length = length
    const size = Math.ceil(length / 8)
    this.bytes = bytes?.length === size ? Uint8Array.from(bytes) : new Uint8Array(size)
  }

  has(index: number): boolean {
    return index < this.length && ((this.bytes[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
  }

  add(index: number): void {
    const byte = this.bytes[index >> 3]
    if (byte !== undefined) this.bytes[index >> 3] = byte | (1 << (index & 7))
  }

  delete(index: number): void {
    const byte = this.bytes[index >> 3]
    if (byte !== undefined) this.bytes[index >> 3] = byte & ~(1 << (index & 7))
  }

  /** Indices not in the set, in order. */
  missing(): number[] {
    return Array.from({ length: this.length }, (_, index) => index).filter((i) => !this.has(i))
  }

  get complete(): boolean {
    return this.missing().length === 0
  }
}
