import { z } from 'zod'
import { CotuneError, EXIT } from '#base'

/**
 * How a device and the cloud peer tune. A reconstruction (docs/co-tuning.md): the paper's own hyper-parameters could not be read.
 * Unknown keys are refused.
 */
const tuningSettingsSchema = z.strictObject({
  /** Of the proxy model's shared and private adapters, and of a small model tuned by LoRA. */
  rank: z.number().int().min(1).max(256).default(8),
  alpha: z.number().positive().default(16),
  /** `full` trains every parameter of the small model; meant for models of a few million. */
  slm: z.enum(['full', 'lora']).default('full'),
  /** How the frozen bases are held: blocks of 8 or 4 bits take a quarter or an eighth of float32's memory. */
  basePrecision: z.enum(['float32', 'int8', 'int4']).default('float32'),
  /** What the backward pass makes again instead of keeping it: less memory, more time. */
  recompute: z.enum(['none', 'activations', 'layers']).default('none'),
  /** Copies frozen float32 weights into the order that products read them in: some per cent faster, twice their memory. */
  packWeights: z.boolean().default(false),
  /** Batches whose gradients make one step: a larger step in the memory of a smaller batch. */
  accumulate: z.number().int().min(1).max(1024).default(1),
  /** Rows of a batch, tokens of a row. */
  batch: z.number().int().min(1).max(1024).default(8),
  length: z.number().int().min(16).max(8192).default(128),
  dstEpochs: z.number().int().min(0).default(1),
  samlEpochs: z.number().int().min(1).default(4),
  cloudEpochs: z.number().int().min(0).default(1),
  /** Public rows that the cloud peer learns from in a round. */
  cloudExamples: z.number().int().min(1).default(600),
  slmLearningRate: z.number().positive().default(1e-3),
  /** Of the proxy model's private adapter. */
  domainLearningRate: z.number().positive().default(1e-4),
  /** Of its shared adapter on a device: low, or it learns the examples by heart and has nothing left to teach. */
  dpmLearningRate: z.number().positive().default(5e-5),
  cloudDpmLearningRate: z.number().positive().default(5e-4),
  llmLearningRate: z.number().positive().default(5e-4),
  /** a: weight of the knowledge-distillation loss in the small model's (or the large model's) loss. */
  modelKdWeight: z.number().min(0).max(1).default(0.5),
  /** b: the same in the proxy model's. */
  dpmKdWeight: z.number().min(0).max(1).default(0.5),
  temperature: z.number().positive().default(1),
  topK: z.number().int().min(1).max(1024).default(32),
  /** a and b grow linearly from 0 over this many rounds: an untrained peer is noise. */
  rampRounds: z.number().int().min(0).default(0),
  /**
   * Whose distillation is limited to the examples on which its teacher is better. A small model soon knows its own few rows by
   * heart, better than any teacher, and would shut its gate just when it needs the teacher most: so on a device only the proxy has one.
   */
  gate: z.enum(['none', 'proxy', 'both']).default('proxy'),
})

export type TuningSettings = z.infer<typeof tuningSettingsSchema>

/** @throws CotuneError TUNING_SETTINGS_INVALID, naming the setting */
export function tuningSettings(given: unknown = {}): TuningSettings {
  const parsed = tuningSettingsSchema.safeParse(given)
  if (parsed.success) return parsed.data
  const wrong = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  )
  throw new CotuneError('TUNING_SETTINGS_INVALID', `tuning settings: ${wrong.join('; ')}`, {
    hint: 'Correct the [tuning] section of config.toml, or the option; docs/co-tuning.md lists the settings.',
    exit: EXIT.config,
  })
}
