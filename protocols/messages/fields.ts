import { CotuneError, fromHex, toHex } from '#base'
import { LIMITS } from './limits.ts'

/**
 * The refusal of a single field: names the message and the field, never prints what the peer sent.
 */
export function fieldError(field: string, expected: string): CotuneError {
  return new CotuneError('PROTOCOL_FIELD', `The field ${field} must be ${expected}.`, {
    hint: 'The peer runs another version or is faulty; update both sides.',
    data: { field, expected },
  })
}

/** `bytes` if it is exactly `length` long. */
export function fixedBytes(bytes: Uint8Array, length: number, field: string): Uint8Array {
  if (bytes.length !== length) throw fieldError(field, `${length} bytes`)
  return bytes
}

/** A SHA-256 digest on the wire, as 64 hexadecimal characters. */
export function digestHex(bytes: Uint8Array, field: string): string {
  return toHex(fixedBytes(bytes, 32, field))
}

/** The 32 bytes of 64 hexadecimal characters. */
export function digestBytes(hex: string, field: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(hex)) throw fieldError(field, '64 lower-case hexadecimal characters')
  return fromHex(hex)
}

/**
 * Printable text of 1 to `maxChars` characters: no control characters, which could forge lines in a
 * terminal.
 */
export function shortText(text: string, maxChars: number, field: string): string {
  if (text.length === 0 || text.length > maxChars || /[\u0000-\u001f\u007f-\u009f]/.test(text)) {
    throw fieldError(field, `1 to ${maxChars} printable characters`)
  }
  return text
}

/**
 * A run id: letters, digits, dot, dash and underscore, since it becomes part of topics and file
 * names.
 */
export function runIdText(text: string, field = 'runId'): string {
  if (text.length > LIMITS.runIdChars || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text)) {
    throw fieldError(field, `1 to ${LIMITS.runIdChars} of letters, digits, dot, dash, underscore`)
  }
  return text
}

/** An unsigned 64-bit number on the wire that must fit `max` (at most 2^53 - 1). */
export function safeInteger(value: bigint | number, max: number, field: string): number {
  if (value < 0 || value > max || !Number.isInteger(Number(value))) {
    throw fieldError(field, `an integer from 0 to ${max}`)
  }
  return Number(value)
}

/** Milliseconds since the epoch, up to the year 2200. */
export function timestamp(value: bigint | number, field: string): number {
  return safeInteger(value, 7_258_118_400_000, field)
}

/** A list of at most `max` entries. */
export function bounded<T>(list: readonly T[], max: number, field: string): readonly T[] {
  if (list.length > max) throw fieldError(field, `at most ${max} entries`)
  return list
}
