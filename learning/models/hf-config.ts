import { z } from 'zod'
import { CotuneError, EXIT, shown, shownJson } from '#base'
import { NEUTRAL_KEYS } from './neutral-keys.ts'

/** A config.json as Hugging Face writes it; keys that change nothing here are kept and not looked at. */
export type HfConfig = Readonly<Record<string, unknown>>

/**
 * Reads `config` by a family's fields. They are the options that are known: one that is neither among them nor known to
 * change nothing could change the numbers, and is refused.
 *
 * @throws CotuneError MODEL_CONFIG_INVALID or MODEL_CONFIG_UNSUPPORTED, naming the key
 */
export function readHfConfig<Fields extends z.ZodRawShape>(
  config: HfConfig,
  fields: Fields,
): z.infer<z.ZodObject<Fields>> {
  const parsed = parseHfConfig(z.object(fields), config)
  for (const [key, value] of Object.entries(config))
    if (!Object.hasOwn(fields, key) && !NEUTRAL_KEYS.has(key) && value !== null)
      throw unknownOption(key)
  return parsed
}

/**
 * `config` with each size under the family's own name. Where both names are there the other one counts, as in the
 * `attribute_map` of transformers.
 */
export function withOwnNames(
  config: HfConfig,
  ownNames: Readonly<Record<string, string>>,
): HfConfig {
  const renamed: Record<string, unknown> = { ...config }
  for (const [other, own] of Object.entries(ownNames)) {
    const value = config[other]
    if (value !== undefined && value !== null) renamed[own] = value
    delete renamed[other]
  }
  return renamed
}

function parseHfConfig<T>(schema: z.ZodType<T>, config: HfConfig): T {
  const result = schema.safeParse(config)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const key = issue?.path.join('.') ?? ''
  const value = issue?.path.reduce<unknown>(
    (at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part],
    config,
  )
  if (issue?.code === 'unrecognized_keys') throw unknownOption(`${key}.${issue.keys[0]}`)
  if (issue?.code === 'custom' && issue.params?.supported !== undefined && value !== undefined)
    throw configUnsupported(key, value, `supported: ${String(issue.params.supported)}`)
  const problem = value === undefined ? 'is missing' : `${issue?.message}, got ${shownJson(value)}`
  throw configInvalid(key, `${key} ${problem}`)
}

export function configInvalid(key: string, message: string): CotuneError {
  return new CotuneError('MODEL_CONFIG_INVALID', `config.json: ${message}`, {
    hint: 'Correct config.json, or download it again together with its weights.',
    data: { key },
    exit: EXIT.data,
  })
}

export function configUnsupported(key: string, value: unknown, supported: string): CotuneError {
  return unsupported(key, `${key} ${shownJson(value)} is not supported (${supported})`)
}

function unknownOption(key: string): CotuneError {
  return unsupported(
    key,
    `the option ${shown(key)} is not known, and may change what the model computes`,
  )
}

function unsupported(key: string, message: string): CotuneError {
  return new CotuneError('MODEL_CONFIG_UNSUPPORTED', `config.json: ${message}`, {
    hint: 'Choose another checkpoint of the family; a key that changes nothing may be removed.',
    data: { key },
    exit: EXIT.data,
  })
}
