import { z } from 'zod'
import { packagePath } from '#base'
import { MAX_BLOB_BYTES } from '#protocols/transfer'

const hours = (count: number) => count * 3_600_000

/** What a cloud peer can be told. Unknown keys are refused by loadConfig. */
export const cloudConfigSchema = z.object({
  name: z.string().min(1).max(64).default('cloud'),
  /** Folder of keys, database, blobs and control socket. */
  home: z.string().min(1),
  /** Folders of checkpoints. */
  models: z
    .object({
      llm: z.string().default(packagePath('zoo', 'llm')),
      dpm: z.string().default(packagePath('zoo', 'dpm')),
    })
    .prefault({}),
  /** Multiaddrs. */
  listen: z.array(z.string()).default(['/ip4/0.0.0.0/tcp/0']),
  /** Multiaddrs to tell others instead, for a port forwarded by a router. */
  announce: z.array(z.string()).default([]),
  rounds: z
    .object({
      quorum: z.number().int().min(1).default(2),
      deadlineMs: z
        .number()
        .int()
        .min(1_000)
        .max(hours(24 * 7))
        .default(hours(1)),
      /** `exact` merges the products of LoRA factors, `fedavg` averages each factor. */
      strategy: z.enum(['exact', 'fedavg']).default('exact'),
      /** What a device states beyond so many examples gives it no more weight in the mean. */
      maxWeight: z.number().int().min(1).default(10_000),
      /** A device's sealed update may be this large. */
      maxUpdateBytes: z
        .number()
        .int()
        .min(1_024)
        .max(MAX_BLOB_BYTES)
        .default(64 * 1_048_576),
    })
    .prefault({}),
  import: z
    .object({
      maxCharacters: z.number().int().min(1).default(20_000),
      maxTotalCharacters: z.number().int().min(1).default(200_000_000),
    })
    .prefault({}),
  /** How long devices seal their updates to one key. */
  keyEpochMs: z.number().int().min(60_000).default(hours(24)),
  engine: z
    .object({
      executor: z.enum(['onnxruntime', 'tensorflow']).default('onnxruntime'),
      /** Of ONNX Runtime; `auto` is the best that works. */
      provider: z.enum(['cpu', 'cuda', 'webgpu', 'coreml', 'dml', 'auto']).default('cpu'),
      threads: z.number().int().min(1).optional(),
    })
    .prefault({}),
  /** Settings of #learning/tuning, checked there. */
  tuning: z.record(z.string(), z.unknown()).default({}),
})

export type CloudConfig = z.output<typeof cloudConfigSchema>
/** As written: defaults may be left out. */
export type CloudConfigInput = z.input<typeof cloudConfigSchema>
