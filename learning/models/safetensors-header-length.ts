import { CotuneError, EXIT } from '#base'

/**
 * A header takes some hundred bytes a tensor, so that this is room for 50,000 of them. The reference implementation
 * reads 100 MB, which would take us seconds and more memory than a device may have.
 */
const MAX_HEADER_BYTES = 8_000_000

/**
 * The header length in the first 8 bytes of a safetensors file, before anything is allocated for it.
 *
 * @param first the first bytes of the file, at most 64
 * @param fileBytes size of the whole file
 * @throws CotuneError SAFETENSORS_GGUF, SAFETENSORS_LFS_POINTER, SAFETENSORS_TRUNCATED, SAFETENSORS_HEADER_LENGTH
 */
export function readHeaderLength(first: Uint8Array, fileBytes: number, file: string): number {
  const start = Buffer.from(first).toString('latin1')
  if (start.startsWith('GGUF'))
    throw new CotuneError('SAFETENSORS_GGUF', `${file} is a GGUF file`, {
      hint: 'Give the original checkpoint in safetensors format; GGUF is only for inference.',
      data: { file },
      exit: EXIT.data,
    })
  if (start.startsWith('version https://git-lfs'))
    throw new CotuneError(
      'SAFETENSORS_LFS_POINTER',
      `${file} is a Git LFS pointer, not the weights`,
      {
        hint: 'Fetch the real file: git lfs pull, or download it from the hub.',
        data: { file },
        exit: EXIT.data,
      },
    )
  if (first.length < 8)
    throw new CotuneError('SAFETENSORS_TRUNCATED', `${file} has only ${fileBytes} bytes`, {
      hint: 'Download the file again.',
      data: { file, fileBytes },
      exit: EXIT.data,
    })
  const length = Buffer.from(first).readBigUInt64LE(0)
  if (length > 2n ** 53n) throw headerLengthError(file, `header length ${length} is impossible`)
  if (length > BigInt(fileBytes - 8))
    throw headerLengthError(
      file,
      `header length ${length} is larger than the file (${fileBytes} bytes)`,
    )
  if (length > BigInt(MAX_HEADER_BYTES))
    throw headerLengthError(file, `header length ${length} is more than ${MAX_HEADER_BYTES} bytes`)
  return Number(length)
}

function headerLengthError(file: string, message: string): CotuneError {
  return new CotuneError('SAFETENSORS_HEADER_LENGTH', `${file}: ${message}`, {
    hint: 'This is no safetensors file, or it is cut short: download it again.',
    data: { file },
    exit: EXIT.data,
  })
}
