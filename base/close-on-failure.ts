interface Closeable {
  close(): Promise<void>
}

/**
 * The rest of a creation, once `opened` is open: if it fails, `opened` is closed, as the caller never gets it.
 *
 * @throws what `rest` throws, whether closing works or not
 */
export async function closeOnFailure<T>(opened: Closeable, rest: () => Promise<T>): Promise<T> {
  try {
    return await rest()
  } catch (error) {
    await opened.close().catch(() => undefined)
    throw error
  }
}
