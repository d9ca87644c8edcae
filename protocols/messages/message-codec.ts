import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { CotuneError, equalBytes, isCotuneError } from '#base'

/** Encodes and decodes one type of message, refusing whatever is not exactly right. */
export interface MessageCodec<T> {
  readonly name: string
  readonly maxBytes: number
  /** @throws PROTOCOL_FIELD, PROTOCOL_OVERSIZE: our own bug must not reach a peer either */
  encode(value: T): Uint8Array
  /**
   * @throws PROTOCOL_OVERSIZE, PROTOCOL_MALFORMED, PROTOCOL_VERSION, PROTOCOL_FIELD and nothing
   * else
   */
  decode(bytes: Uint8Array): T
}

export interface MessageCodecInit<D extends DescMessage, T> {
  readonly schema: D
  readonly maxBytes: number
  /** The version this side speaks; every message carries it in field 1. */
  readonly version?: number
  /** From the plain value to protobuf's fields, `version` left out. */
  readonly toWire: (value: T) => MessageInitShape<D>
  /** From protobuf's fields to the plain value; throws `fieldError`s. */
  readonly fromWire: (message: MessageShape<D>) => T
}

/** A codec that checks size first, then form, version and every field. */
export function messageCodec<D extends DescMessage, T>(
  init: MessageCodecInit<D, T>,
): MessageCodec<T> {
  const { schema, maxBytes } = init
  const version = init.version ?? 1
  const name = schema.name

  const checkSize = (sizeBytes: number): void => {
    if (sizeBytes <= maxBytes) return
    throw new CotuneError(
      'PROTOCOL_OVERSIZE',
      `${name} of ${sizeBytes} bytes; ${maxBytes} are allowed.`,
      {
        hint: 'The peer runs another version or is faulty; update both sides.',
        data: { message: name, sizeBytes, maxBytes },
      },
    )
  }

  return {
    name,
    maxBytes,
    encode: (value) => {
      const message = create(schema, init.toWire(value))
      Object.assign(message, { version })
      init.fromWire(message)
      const bytes = toBinary(schema, message)
      checkSize(bytes.length)
      return bytes
    },
    decode: (bytes) => {
      checkSize(bytes.length)
      let message: MessageShape<D>
      try {
        message = fromBinary(schema, bytes, { readUnknownFields: false })
      } catch (cause) {
        throw malformed(name, cause)
      }
      // One value, one encoding: protobuf reads many spellings (other wire types, long varints,
      // unknown fields), and whoever could respell a signed message could give it a second digest.
      if (!equalBytes(toBinary(schema, message), bytes)) throw malformed(name)
      const found = (message as { version?: unknown }).version
      if (found !== version) {
        throw new CotuneError('PROTOCOL_VERSION', `${name} of version ${String(found)}.`, {
          hint: `This side speaks version ${version}; run the same release of cotune on both sides.`,
          data: { message: name, found: String(found), expected: version },
        })
      }
      try {
        return init.fromWire(message)
      } catch (cause) {
        if (isCotuneError(cause)) throw cause
        throw malformed(name, cause)
      }
    },
  }
}

function malformed(message: string, cause?: unknown): CotuneError {
  return new CotuneError('PROTOCOL_MALFORMED', `The bytes are not a ${message}.`, {
    hint: 'The peer runs another version or is faulty; update both sides.',
    cause,
    data: { message },
  })
}
