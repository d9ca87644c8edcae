import { closeOnFailure, type WorkerHost } from '#base'
import type { EngineInfo } from '#engine'
import type { DeviceTuner, DeviceTunerInit } from '#learning/tuning'
import type { DeviceMethods } from './device-worker.ts'
import { learningHost } from './learning-host.ts'

type Opened = Awaited<ReturnType<DeviceMethods['open']>>

/**
 * A DeviceTuner in a worker thread, so that the caller's event loop is free while it learns. Weights that it is given move to the
 * worker: they are empty here afterwards. An abort takes effect at the next step.
 */
export class HostedDeviceTuner implements Omit<DeviceTuner, 'settings'> {
  readonly #host: WorkerHost<DeviceMethods>
  readonly #opened: Opened

  private constructor(host: WorkerHost<DeviceMethods>, opened: Opened) {
    this.#host = host
    this.#opened = opened
  }

  /** @throws CotuneError as DeviceTuner.create; WORKER_CRASHED, WORKER_OUT_OF_MEMORY, as do all methods */
  static async create(init: DeviceTunerInit): Promise<HostedDeviceTuner> {
    const host = learningHost('device-worker', init)
    const opened = await closeOnFailure(host, () => host.call('open', undefined))
    return new HostedDeviceTuner(host, opened)
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

  tune({ onProgress, signal, ...input }: Parameters<DeviceTuner['tune']>[0]) {
    return this.#host.call('tune', input, { onEvent: onProgress, signal })
  }

  baseline({ onProgress, signal, ...input }: Parameters<DeviceTuner['baseline']>[0]) {
    return this.#host.call('baseline', input, { onEvent: onProgress, signal })
  }

  evaluate({ onProgress, signal, ...input }: Parameters<DeviceTuner['evaluate']>[0]) {
    return this.#host.call('evaluate', input, { onEvent: onProgress, signal })
  }

  answer({ onToken, signal, ...input }: Parameters<DeviceTuner['answer']>[0]) {
    return this.#host.call('answer', input, { onEvent: onToken, signal })
  }

  close(): Promise<void> {
    return this.#host.close()
  }
}
