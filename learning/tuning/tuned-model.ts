import { CotuneError, createRandom, EXIT } from '#base'
import type { WeightValue } from '#engine'
import { resolveModelFolder } from '#learning/library'
import { type AdapterWeights, createAdapter, type LoraSpec } from '#learning/lora'
import {
  type BasePrecision,
  type Checkpoint,
  checkpointDigest,
  countParameters,
  freeze,
  openCheckpoint,
} from '#learning/models'
import type { Tokenizer } from '#learning/text'
import type { ModelRole } from './types.ts'

/** The name of the proxy's adapter p, which all peers share. */
export const SHARED_ADAPTER = 'shared'

/** A model that takes part in co-tuning: its base, its tokenizer, and who it is. */
export interface TunedModel {
  readonly role: ModelRole
  /** Its weights lie on disk. */
  readonly checkpoint: Checkpoint<WeightValue>
  readonly tokenizer: Tokenizer
  /** SHA-256 of configuration and weights of the base. */
  readonly digest: string
}

export interface ModelDescription {
  readonly role: ModelRole
  readonly family: string
  readonly parameters: number
  readonly vocabulary: number
  readonly digest: string
}

/**
 * @param nameOrFolder a checkpoint folder, or the name of a model of the library
 * @throws CotuneError MODEL_*, TOKENIZER_*, MODEL_WITHOUT_TOKENIZER
 */
export async function loadTunedModel(
  role: ModelRole,
  nameOrFolder: string,
  precision: BasePrecision = 'float32',
): Promise<TunedModel> {
  const folder = await resolveModelFolder(nameOrFolder)
  const open = await openCheckpoint(folder)
  const { tokenizer } = open
  if (tokenizer === undefined) {
    throw new CotuneError('MODEL_WITHOUT_TOKENIZER', `${folder} has no tokenizer.json`, {
      hint: 'Put the tokenizer.json of the model into its folder.',
      data: { folder },
      exit: EXIT.data,
    })
  }
  // Reads every weight once: what is not finite is found here, not by the runtime that maps it.
  const digest = await checkpointDigest(open)
  return { role, checkpoint: await freeze(open, { precision }), tokenizer, digest }
}

export function describeModel({
  role,
  checkpoint,
  tokenizer,
  digest,
}: TunedModel): ModelDescription {
  return {
    role,
    family: checkpoint.model.family,
    parameters: countParameters(checkpoint.model),
    vocabulary: tokenizer.vocabularySize,
    digest,
  }
}

/** An adapter on every linear layer of the model. */
export function everyLinear(
  { checkpoint }: TunedModel,
  settings: { readonly rank: number; readonly alpha: number },
): LoraSpec {
  const targets = checkpoint.model.linears.map(({ name }) => name)
  return { rank: settings.rank, alpha: settings.alpha, targets }
}

/** The adapter that everybody begins with: it depends on the base alone, so no peer need send it. */
export function initialAdapter(model: TunedModel, spec: LoraSpec, name: string): AdapterWeights {
  return createAdapter(model.checkpoint.model, spec, createRandom(`${model.digest}/${name}`))
}
