/**
 * GPT-2's visible stand-in for each byte: printable Latin-1 stands for itself, the rest follows from U+0100 on.
 * Source: `bytes_to_unicode` in openai/gpt-2 `src/encoder.py`.
 */
export const BYTE_ALPHABET: readonly string[] = byteAlphabet()

const byteOfCharacter = new Map(BYTE_ALPHABET.map((character, byte) => [character, byte]))

/** The bytes that a token of a byte-level vocabulary stands for; undefined when it has a character outside the alphabet. */
export function bytesOfVisible(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length)
  for (let i = 0; i < token.length; i++) {
    const byte = byteOfCharacter.get(token[i]!)
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
}

function byteAlphabet(): string[] {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(isPrintable(byte) ? byte : next++),
  )
}

function isPrintable(byte: number): boolean {
  return (
    (byte >= 0x21 && byte <= 0x7e) ||
    (byte >= 0xa1 && byte <= 0xac) ||
    (byte >= 0xae && byte !== 0xad)
  )
}
