import { z } from 'zod'
import { packagePath } from '#base'

/** What a device can be told; docs/operations.md explains each key. Unknown keys are refused by `loadConfig`. */
export const daemonConfigSchema = z.object({
  /** What the mesh calls this device. */
  name: z.string().min(1).max(64).default('device'),
  /** Folder of keys, database, adapters and control socket. */
  home: z.string().min(1),
  /** Folders of checkpoints. The proxy model must be the cloud peer's, bit for bit. */
  models: z
    .object({
      slm: z.string().default(packagePath('zoo', 'slm-llama')),
      dpm: z.string().default(packagePath('zoo', 'dpm')),
    })
    .prefault({}),
  /** Multiaddrs. Loopback only unless told: /ip4/0.0.0.0/tcp/PORT is reachable from other machines. */
  listen: z.array(z.string()).default(['/ip4/127.0.0.1/tcp/0']),
  /** Multiaddrs to tell others instead, for a port forwarded by a router. */
  announce: z.array(z.string()).default([]),
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
  /** Fixes the order of training: the same rows and seed give the same update. */
  seed: z.string().max(64).default('0'),
  updates: z
    .object({
      /** How the numbers of an update travel: int8 is a quarter of float32's size. */
      precision: z.enum(['int8', 'float16', 'float32']).default('int8'),
    })
    .prefault({}),
  import: z
    .object({
      maxCharacters: z.number().int().min(1).default(20_000),
      maxTotalCharacters: z.number().int().min(1).default(200_000_000),
    })
    .prefault({}),
  versions: z
    .object({
      /** Held-out rows that a new version is judged on; 0 keeps every version unjudged. */
      sample: z.number().int().min(0).default(16),
      /** A version whose perplexity per byte grew by more than this share, or whose exact match fell by so many points, goes. */
      maxPerplexityGrowth: z.number().min(0).default(0.1),
      maxExactMatchLoss: z.number().min(0).default(10),
    })
    .prefault({}),
})

export type DaemonConfig = z.output<typeof daemonConfigSchema>
/** As written: defaults may be left out. */
export type DaemonConfigInput = z.input<typeof daemonConfigSchema>
