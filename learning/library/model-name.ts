import { CotuneError, EXIT } from '#base'

/** What a person writes for a model: `ORG/NAME`, `NAME` or either with `@REVISION`. */
export interface ModelReference {
  readonly name: string
  /** Branch, tag or commit, or the beginning of one. */
  readonly revision?: string
}

/** The rules of the hub for one part of a name, of which no part can leave its folder. */
const PART = /^(?![.-])(?!.*(?:--|\.\.))[A-Za-z0-9._-]{1,96}(?<![.-])$/
const REVISION = /^(?![./-])(?!.*(?:\.\.|\/\/))[A-Za-z0-9._/-]{1,200}$/
const COMMIT = /^[0-9A-Za-z]{6,64}$/

/**
 * Reads `ORG/NAME[@REVISION]`.
 *
 * @throws CotuneError MODEL_NAME_INVALID, for anything that could name a place outside of the library too
 */
export function parseModelReference(text: string): ModelReference {
  const [name = '', ...rest] = text.split('@')
  const revision = rest.join('@')
  const parts = name.split('/')
  if (parts.length > 2 || !parts.every((part) => PART.test(part))) throw nameInvalid(text)
  if (rest.length === 0) return { name }
  if (!REVISION.test(revision)) throw nameInvalid(text)
  return { name, revision }
}

/**
 * The folder of one revision inside the library; names hold no `--`, so no two models share one.
 *
 * @throws CotuneError MODEL_NAME_INVALID
 */
export function modelFolderName(name: string, commit: string): string {
  if (!COMMIT.test(commit)) throw nameInvalid(`${name}@${commit}`)
  return `${parseModelReference(name).name.replace('/', '--')}@${commit}`
}

function nameInvalid(text: string): CotuneError {
  return new CotuneError('MODEL_NAME_INVALID', `${text} is no name of a model`, {
    hint: 'names are ORG/NAME, NAME, or either with @REVISION: letters, digits, and . _ - between them',
    data: { name: text },
    exit: EXIT.usage,
  })
}
