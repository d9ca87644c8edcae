import { CotuneError, type EventLog, EXIT, type JobQueue } from '#base'
import type { AdapterWeights } from '#learning/aggregate'
import { type Example, readExamples } from '#learning/data'
import { decodeAdapter } from '#learning/lora'
import type { TuningProgress } from '#learning/tuning'
import type { ChatRequest, EvaluateRequest, PeerEvent, Scores } from '#protocols/api'
import type { Narrator } from '../status/narrator.ts'
import type { CloudStore } from '../store/cloud-store.ts'
import type { Tuned, Tuner } from '../tuner.ts'

export interface ScoringComponents {
  readonly store: CloudStore
  readonly tuner: Tuner
  readonly jobs: JobQueue
  readonly narrator: Narrator
  readonly events: EventLog<PeerEvent>
}

/** Scores the large model and the proxy model, and lets people talk to them: as shipped, or as tuned so far. */
export class Scoring {
  readonly #components: ScoringComponents

  constructor(components: ScoringComponents) {
    this.#components = components
  }

  /** @throws CotuneError MODEL_NOT_HERE, EVALUATE_LABEL, DATA_* */
  async evaluate(request: EvaluateRequest, signal: AbortSignal): Promise<Scores> {
    const { store, tuner, jobs, narrator, events } = this.#components
    const { label } = request
    const model = cloudModel(request.model)
    if (label !== 'before' && label !== 'after') throw wrongLabel(label)
    const examples = await this.#examples(request.path)
    const version = label === 'after' ? store.versions.latest() : undefined
    const round = version?.version ?? null
    const tuned = version ? await this.#latest() : {}
    const onProgress = (progress: TuningProgress) => narrator.progress(round, progress)
    const scores = await jobs.run(
      `scoring the ${model}`,
      (either) => tuner.evaluate({ ...tuned, model, examples, onProgress, signal: either }),
      signal,
    )
    store.scores.add({ ...scores, model, label, round })
    events.emit({ type: 'scores', model, label, round, scores })
    return scores
  }

  /**
   * One answer; `onToken` is told its text as it comes.
   * @throws CotuneError MODEL_NOT_HERE
   */
  async chat(
    request: ChatRequest,
    onToken: (text: string) => void,
    signal: AbortSignal,
  ): Promise<{ readonly text: string; readonly model: string }> {
    const { tuner, jobs, store } = this.#components
    const model = cloudModel(request.model ?? 'llm')
    const prompt = { instruction: request.instruction ?? '', input: request.prompt }
    const { sampling, stop } = request
    const options = { ...(sampling && { sampling }), ...(stop && { stop }), onToken }
    const tuned = await this.#latest()
    const text = await jobs.run(
      'an answer',
      (either) => tuner.answer({ ...tuned, ...options, model, prompt, signal: either }),
      signal,
    )
    return { text, model: `${model}@${store.versions.latest()?.version ?? 0}` }
  }

  async #examples(path: string | undefined): Promise<readonly Example[]> {
    const { store } = this.#components
    const examples = path === undefined ? await store.examples.heldOut() : await readExamples(path)
    if (examples.length > 0) return examples
    throw new CotuneError('DATA_EMPTY', 'There is no example to score on.', {
      hint: 'Import some (`cotune data import FILE --use evaluation`) or name a JSONL file.',
      exit: EXIT.data,
    })
  }

  async #latest(): Promise<Tuned> {
    const { versions, states } = this.#components.store
    const version = versions.latest()
    const read = async (digest: string | null | undefined): Promise<AdapterWeights | undefined> =>
      digest ? decodeAdapter(await states.get(digest)) : undefined
    return { state: await read(version?.llmState), shared: await read(version?.digest) }
  }
}

function cloudModel(model: EvaluateRequest['model']): 'llm' | 'dpm' {
  if (model !== 'slm') return model
  throw new CotuneError('MODEL_NOT_HERE', 'Small models live on devices.', {
    hint: "Ask a device (--home of its daemon), or name the cloud peer's llm or dpm.",
    exit: EXIT.usage,
  })
}

function wrongLabel(label: string): CotuneError {
  return new CotuneError('EVALUATE_LABEL', `A cloud peer has no ${label} weights.`, {
    hint: 'Ask for "before" (as shipped) or "after" (as tuned so far).',
    exit: EXIT.usage,
  })
}
