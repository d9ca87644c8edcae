import { listFiles, modelInfo } from '@huggingface/hub'
import { z } from 'zod'
import { CotuneError, isCotuneError } from '#base'
import type { HubClient } from './hub-client.ts'
import { type HubSubject, unexpected } from './hub-errors.ts'

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

/** More than any model has. */
const MAX_FILES = 10_000

/**
 * The commit that a branch, a tag or the beginning of a commit stands for.
 *
 * @throws CotuneError MODEL_HUB_*
 */
export async function resolveCommit(client: HubClient): Promise<string> {
  const { subject, fetch } = client
  const { name, revision = 'main', endpoint } = subject
  const info = await asHub(subject, () =>
    modelInfo({ name, revision, hubUrl: endpoint, fetch, additionalFields: ['sha'] }),
  ).catch((error: unknown) => {
    // The hub says what was not found; a mirror without this part of the API does not.
    if (isCotuneError(error, 'MODEL_HUB_NOT_FOUND') && !error.data.errorCode) return undefined
    throw error
  })
  const commit = commitSchema.safeParse(info?.sha ?? (await commitOfReply(client, revision)))
  if (commit.success) return commit.data
  throw unexpected(subject, 'without the commit of the revision')
}

async function commitOfReply(client: HubClient, revision: string): Promise<string | undefined> {
  return client.request({
    url: resolveUrl(client.subject, revision, 'config.json'),
    headers: async () => ({ range: 'bytes=0-0' }),
    use: async ({ named }) => named.commit,
  })
}

/** Where a file of a revision is, as @huggingface/hub builds it; its own downloads cannot be gone on with. */
export function resolveUrl({ endpoint, name }: HubSubject, revision: string, file: string): string {
  return `${endpoint}/${name}/resolve/${encodeURIComponent(revision)}/${encodeURIComponent(file)}`
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
      if (files.size > MAX_FILES) throw unexpected(subject, 'with a listing that does not end')
    }
    return files
  })
}

/** Anything that is no error of ours is an answer that @huggingface/hub could not read. */
async function asHub<T>(subject: HubSubject, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    if (cause instanceof CotuneError || (cause as Error).name === 'AbortError') throw cause
    throw unexpected(subject, 'with what a hub would not say', cause)
  }
}
