import type { AddedModel } from '#learning/library'
import type { Io } from '../io.ts'
import { clean } from '../render/clean.ts'
import { formatBytes, formatCount } from '../render/units.ts'

/** Says which model the library now has, and where. */
export function reportAdded(
  { folder, manifest, warnings, isNew }: AddedModel,
  json: boolean,
  io: Io,
): void {
  const { name, revision, family, parameters, files, source, labels } = manifest
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0)
  if (json) {
    const report = {
      name,
      revision,
      labels,
      family,
      parameters,
      sizeBytes,
      source,
      folder,
      files,
      warnings,
      isNew,
    }
    io.stdout.write(`${JSON.stringify(report)}\n`)
    return
  }
  if (!isNew) io.stderr.write('it is here already\n')
  for (const warning of warnings) io.stderr.write(`note: ${clean(warning)}\n`)
  io.stdout.write(
    `${name}@${revision.slice(0, 12)}: ${family}, ${formatCount(parameters)} parameters, ${formatBytes(sizeBytes)}\n${folder}\n`,
  )
}
