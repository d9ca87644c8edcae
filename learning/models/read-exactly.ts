import type { FileHandle } from 'node:fs/promises'
import { CotuneError, EXIT } from '#base'

/**
 * Fills `bytes` from `position` of the file.
 *
 * @throws CotuneError SAFETENSORS_TRUNCATED if the file ends before
 */
export async function readExactly(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
  file: string,
): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, position + done)
    if (bytesRead === 0)
      throw new CotuneError('SAFETENSORS_TRUNCATED', `${file} became shorter while it was read`, {
        hint: 'Wait until the file is written, then try again.',
        data: { file },
        exit: EXIT.data,
      })
    done += bytesRead
  }
}
