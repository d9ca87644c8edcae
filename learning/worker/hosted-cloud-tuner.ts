import { closeOnFailure, type WorkerHost } from '#base'
import type { EngineInfo } from '#engine'
import type { CloudTuner, CloudTunerInit } from '#learning/tuning'
import type { CloudMethods } from './cloud-worker.ts'
import { learningHost } from './learning-host.ts'

type Opened = Awaited<ReturnType<CloudMethods['open']>>

/**
 * A CloudTuner in a worker thread, so that the caller's event loop is free while it learns and merges. Weights that it is given move
 * to the worker: they are empty here afterwards. An abort takes effect at the next step.
 */
export class HostedCloudTuner implements Omit<CloudTuner, 'settings'> {
  readonly #host: WorkerHost<CloudMethods>
  readonly #opened: Opened

  private constructor(host: WorkerHost<CloudMethods>, opened: Opened) {
    this.#host = host
    this.#opened = opened
  }

  /** @throws CotuneError as CloudTuner.create; WORKER_CRASHED, WORKER_OUT_OF_MEMORY, as do all methods */
  static async create(init: CloudTunerInit): Promise<HostedCloudTuner> {
    const host = learningHost('cloud-worker', init)
    const opened = await closeOnFailure(host, () => host.call('open', undefined))
    return new HostedCloudTuner(host, opened)
  }

  get dpmDigest(): string {
    return this.#opened.dpmDigest
  }

  get engine(): EngineInfo {
    return this.#opened.engine
  }

  describe(): Opened['models'] {
    return this.#opened.models
  }

  aggregate({ updates, ...input }: Parameters<CloudTuner['aggregate']>[0]) {
    return this.#host.call('aggregate', input, { source: updates })
  }

  tune({ onProgress, signal, ...input }: Parameters<CloudTuner['tune']>[0]) {
    return this.#host.call('tune', input, { onEvent: onProgress, signal })
  }

  evaluate({ onProgress, signal, ...input }: Parameters<CloudTuner['evaluate']>[0]) {
    return this.#host.call('evaluate', input, { onEvent: onProgress, signal })
  }

  answer({ onToken, signal, ...input }: Parameters<CloudTuner['answer']>[0]) {
    return this.#host.call('answer', input, { onEvent: onToken, signal })
  }

  close(): Promise<void> {
    return this.#host.close()
  }
}
