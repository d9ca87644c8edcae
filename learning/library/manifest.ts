import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '#base'

/** Lies in the folder of each model of the library and says where it came from. */
export const MANIFEST_FILE = 'cotune-model.json'

const manifestSchema = z.object({
  format: z.literal(1),
  /** `ORG/NAME` on the hub, or what an imported folder was called. */
  name: z.string(),
  /** The commit it was pulled at; of an imported folder 40 digits of the digest of its files. */
  revision: z.string(),
  /** Branches and tags by which it was asked for. */
  labels: z.array(z.string()),
  /** The address of the repository, or the folder it was imported from. */
  source: z.string(),
  family: z.string(),
  parameters: z.number(),
  /** ISO 8601; of the latest pull that led here. */
  addedAt: z.string(),
  files: z.array(
    z.object({
      name: z.string(),
      sizeBytes: z.number(),
      /** Hexadecimal. */
      sha256: z.string(),
    }),
  ),
})

export type ModelManifest = Readonly<z.infer<typeof manifestSchema>>
export type ModelFile = ModelManifest['files'][number]

/** The manifest of a folder; undefined where there is none or it is none of ours. */
export async function readManifest(folder: string): Promise<ModelManifest | undefined> {
  try {
    const text = await readFile(join(folder, MANIFEST_FILE), 'utf8')
    return manifestSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

export async function writeManifest(folder: string, manifest: ModelManifest): Promise<void> {
  await writeFileAtomic(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`)
}
