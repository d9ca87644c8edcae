import { readFile } from 'node:fs/promises'
import { CotuneError, EXIT } from '#base'

export interface HubOptions {
  readonly endpoint?: string
  readonly tokenFile?: string
}

export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string
  readonly token?: string
}

const HUGGING_FACE = 'https://huggingface.co'

/**
 * Which hub to ask, and as whom: the options, then `HF_ENDPOINT` and `HF_TOKEN`, as for Hugging Face's own tools.
 *
 * @throws CotuneError MODEL_HUB_SETTINGS
 */
export async function hubSettings(
  options: HubOptions,
  env: NodeJS.ProcessEnv,
): Promise<HubSettings> {
  const endpoint = options.endpoint || env.HF_ENDPOINT || HUGGING_FACE
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw invalid(`${endpoint} is no address of a hub`, 'it begins with https:// or http://')
  if (url.username !== '' || url.password !== '')
    throw invalid('the endpoint holds a user name or password', 'give a token in HF_TOKEN instead')
  const token = (
    options.tokenFile === undefined ? env.HF_TOKEN : await read(options.tokenFile)
  )?.trim()
  if (!token) return { endpoint: endpoint.replace(/\/+$/, '') }
  // What fetch refuses in a header it quotes in its error.
  if (!/^[\x21-\x7e]+$/.test(token)) throw invalid('the token is not one word', 'copy it anew')
  return { endpoint: endpoint.replace(/\/+$/, ''), token }
}

async function read(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw invalid(`cannot read the token in ${path}`, 'check the path and its permissions', cause)
  })
  if (text.trim() !== '') return text
  throw invalid(`${path} is empty`, 'it shall hold the token and nothing else')
}

function invalid(message: string, hint: string, cause?: unknown): CotuneError {
  return new CotuneError('MODEL_HUB_SETTINGS', message, { hint, cause, exit: EXIT.usage })
}
