import { listFiles, modelInfo } from '@huggingface/hub'
import { z } from 'zod'
import { CotuneError } from '#base'
import type { HubClient } from './hub-client.ts'
import { unexpected } from './hub-errors.ts'

const commitSchema = z.string().regex(/^[0-9A-Za-z]{6,64}$/)
const listedSchema = z.object({
  type: z.string(),
  path: z.string(),
  size: z.int().nonnegative(),
  oid: z.string().optional(),
  lfs: z.object({ oid: z.string(), size: z.int().nonnegative() }).optional(),
})
/** A file of a repository as its listing has it. */
export type ListedFile = z.infer<typeof listedSchema>

/**
 * The commit that a branch, a tag or the beginning of a commit stands for.
 *
 * @throws CotuneError MODEL_HUB_*
 */
export async function resolveCommit({ subject, fetch }: HubClient): Promise<string> {
  const { name, revision = 'main', endpoint } = subject
  const info = await asHub(subject, () =>
    modelInfo({ name, revision, hubUrl: endpoint, fetch, additionalFields: ['sha'] }),
  )
  const commit = commitSchema.safeParse(info.sha)
  if (commit.success) return commit.data
  throw unexpected(subject, 'without the commit of the revision')
}

/**
 * The files at the top of a repository, by name.
 *
 * @throws CotuneError MODEL_HUB_*
 */
export async function listRepository(
  { subject, fetch }: HubClient,
  commit: string,
): Promise<ReadonlyMap<string, ListedFile>> {
  const { name, endpoint } = subject
  const repo = { type: 'model', name } as const
  return asHub(subject, async () => {
    const files = new Map<string, ListedFile>()
    for await (const entry of listFiles({ repo, revision: commit, hubUrl: endpoint, fetch })) {
      const file = listedSchema.parse(entry)
      if (file.type === 'file') files.set(file.path, file)
    }
    return files
  })
}

/** Anything that is no error of ours is an answer that @huggingface/hub could not read. */
async function asHub<T>(subject: HubClient['subject'], call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    if (cause instanceof CotuneError || (cause as Error).name === 'AbortError') throw cause
    throw unexpected(subject, 'with what a hub would not say', cause)
  }
}
