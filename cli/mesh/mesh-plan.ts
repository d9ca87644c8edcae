import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CotuneError, didYouMean, EXIT, packagePath } from '#base'
import type { Role } from '#protocols/api'

/** One device of a local mesh: what it is called, which domain it learns, with which small model. */
export interface DevicePlan {
  readonly name: string
  readonly domain: string
  /** Checkpoint folder, or a name of the library. */
  readonly slm: string
  readonly trainPath: string
  readonly evaluationPath: string
}

/** Everything a local mesh does, decided before anything is started. */
export interface MeshPlan {
  readonly devices: readonly DevicePlan[]
  readonly llm: string
  readonly dpm: string
  readonly rounds: number
  /** Private rows a device trains on, at most. */
  readonly trainRows: number
  /** Public rows of each domain that the cloud peer tunes on, at most. */
  readonly publicRows: number
  /** Rows of each domain that scores are measured on, at most. */
  readonly evaluationRows: number
  readonly seed: number
  readonly timeoutMs: number
  /** Heavy jobs (baselines, evaluations) at a time. */
  readonly concurrency: number
  /** Threads of each process' engine. Devices train side by side; the cloud peer tunes while they wait. */
  readonly threads: Readonly<Record<Role, number>>
}

export interface MeshPlanInit {
  /** Default: the examples of the package. */
  readonly data?: string
  /** Default: the first three. */
  readonly domains?: readonly string[]
  /** A folder of `<domain>.test.jsonl` to score on, instead of `<domain>.valid.jsonl` of the data. */
  readonly evaluation?: string
  /** A folder of the checkpoint folders `llm`, `dpm` and `slm-*`. Default: the small models of the package. */
  readonly models?: string
  /** Folders, or names of the library, that go before those of `models`. */
  readonly llm?: string
  readonly dpm?: string
  readonly slms?: readonly string[]
  readonly rounds: number
  readonly trainRows: number
  readonly publicRows: number
  readonly evaluationRows: number
  readonly seed: number
  readonly timeoutMs: number
  readonly cores: number
}

const DEFAULT_DOMAINS = 3

/**
 * Finds the data and the models.
 * @throws CotuneError MESH_NO_DATA, MESH_NO_DOMAIN, MESH_NO_EVALUATION, MESH_NO_MODEL
 */
export function createMeshPlan(init: MeshPlanInit): MeshPlan {
  const data = init.data === undefined ? packagePath('examples', 'data') : resolve(init.data)
  const known = domainsOf(data)
  const domains = init.domains ?? known.slice(0, DEFAULT_DOMAINS)
  const models = init.models === undefined ? packagePath('zoo') : resolve(init.models)
  const small = init.slms ?? smallModels(models)
  const devices = domains.map((domain, index) => {
    if (!known.includes(domain)) throw noDomain(domain, data, known)
    return {
      name: `device-${index + 1}`,
      domain,
      slm: small[index % small.length] ?? modelFolder(models, 'slm-gpt2'),
      trainPath: join(data, `${domain}.train.jsonl`),
      evaluationPath: evaluationPath(domain, data, init.evaluation),
    }
  })
  return {
    devices,
    llm: init.llm ?? modelFolder(models, 'llm'),
    dpm: init.dpm ?? modelFolder(models, 'dpm'),
    rounds: init.rounds,
    trainRows: init.trainRows,
    publicRows: init.publicRows,
    evaluationRows: init.evaluationRows,
    seed: init.seed,
    timeoutMs: init.timeoutMs,
    concurrency: Math.max(1, Math.min(2, init.cores)),
    threads: {
      device: Math.max(1, Math.floor(init.cores / devices.length)),
      cloud: Math.max(1, init.cores),
    },
  }
}

function domainsOf(folder: string): readonly string[] {
  const suffix = '.train.jsonl'
  const names = existsSync(folder) ? readdirSync(folder).sort() : []
  const domains = names
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length))
  if (domains.length > 0) return domains
  throw new CotuneError('MESH_NO_DATA', `${folder} holds no <domain>.train.jsonl`, {
    hint: 'give --data a folder with <domain>.train.jsonl and <domain>.valid.jsonl',
    data: { folder },
    exit: EXIT.data,
  })
}

function evaluationPath(domain: string, data: string, evaluation: string | undefined): string {
  const path =
    evaluation === undefined
      ? join(data, `${domain}.valid.jsonl`)
      : join(resolve(evaluation), `${domain}.test.jsonl`)
  if (existsSync(path)) return path
  throw new CotuneError('MESH_NO_EVALUATION', `${path} is missing`, {
    hint: 'scores need rows that nobody trains on; put them there, or name another folder with --eval',
    data: { path },
    exit: EXIT.data,
  })
}

function smallModels(folder: string): readonly string[] {
  const names = existsSync(folder) ? readdirSync(folder).sort() : []
  const small = names.filter((name) => name.startsWith('slm-'))
  return small.map((name) => modelFolder(folder, name))
}

function modelFolder(models: string, name: string): string {
  const folder = join(models, name)
  if (existsSync(join(folder, 'config.json'))) return folder
  throw new CotuneError('MESH_NO_MODEL', `the model ${name} is missing (${folder})`, {
    hint: 'npm run zoo trains the small models that the mesh starts with; --models names other ones',
    data: { folder },
    exit: EXIT.data,
  })
}

function noDomain(domain: string, folder: string, known: readonly string[]): CotuneError {
  const near = didYouMean(domain, known)
  return new CotuneError('MESH_NO_DOMAIN', `${folder} holds no ${domain}.train.jsonl`, {
    hint: near === undefined ? `there are: ${known.join(', ')}` : `did you mean ${near}?`,
    data: { domain, known },
    exit: EXIT.usage,
  })
}
