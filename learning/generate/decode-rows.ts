import type { ModelConfig } from '#learning/models'
import { CacheColumns } from './cache-columns.ts'
import type { Continuation, Decoder } from './decoder.ts'

/** Prompt tokens read in one run: enough to keep the cores busy, few enough to bound the memory that it takes. */
const PREFILL_TOKENS = 2_048

/** One answer on its way. */
export interface DecodingRow {
  readonly prompt: Int32Array
  /** Whether `take` needs logits. */
  readonly needsLogits: boolean
  /**
   * Told the most probable next token and, if needed, the logits [vocabularySize], says which token to go on with; undefined
   * when the answer is over.
   */
  take(next: number, logits: Float32Array | undefined): number | undefined
}

export interface DecodeRowsInit {
  readonly decoder: Decoder
  readonly config: ModelConfig
  /** In the order in which they are begun. */
  readonly rows: readonly DecodingRow[]
  /** Rows decoded together, at most. */
  readonly batch: number
  readonly signal?: AbortSignal | undefined
}

interface Slot {
  readonly row: DecodingRow
  readonly token: number
}

/** Decodes all rows. The active ones fill the cache from its start; where one ends, the last takes its place. */
export async function decodeRows(init: DecodeRowsInit): Promise<void> {
  const { decoder, config, rows, signal } = init
  const capacity = Math.min(init.batch, rows.length)
  const cache = new CacheColumns(config, capacity)
  const slots: Slot[] = []
  let begun = 0

  /** Puts rows and what the model says of them into the slots from `first` on; those that are over give theirs up. */
  function settle(first: number, settled: readonly DecodingRow[], said: Continuation): void {
    const width = config.vocabularySize
    const ended: number[] = []
    for (const [i, row] of settled.entries()) {
      const logits = row.needsLogits ? said.logits?.subarray(i * width, (i + 1) * width) : undefined
      const token = row.take(said.next[i]!, logits)
      if (token === undefined) ended.push(first + i)
      slots[first + i] = { row, token: token ?? 0 }
    }
    for (const slot of ended.reverse()) {
      const last = slots.length - 1
      if (slot !== last) cache.move(last, slot)
      cache.lengths[last] = 0
      const moved = slots.pop()!
      if (slot !== last) slots[slot] = moved
    }
  }

  async function begin(): Promise<void> {
    const group = nextGroup(rows, begun, capacity - slots.length)
    const needsLogits = group.some((row) => row.needsLogits)
    const first = slots.length
    begun += group.length
    let prompts = group.map(({ prompt }) => prompt)
    // One that a run does not read whole is alone in its group.
    for (let [long] = prompts; long!.length > PREFILL_TOKENS; [long] = prompts) {
      signal?.throwIfAborted()
      await decoder.read(cache, first, [long!.subarray(0, PREFILL_TOKENS)], false)
      prompts = [long!.subarray(PREFILL_TOKENS)]
    }
    settle(first, group, await decoder.read(cache, first, prompts, needsLogits))
  }

  async function step(): Promise<void> {
    const active = slots.map(({ row }) => row)
    const lists = slots.map(({ token }) => Int32Array.of(token))
    const needsLogits = active.some((row) => row.needsLogits)
    settle(0, active, await decoder.read(cache, 0, lists, needsLogits))
  }

  while (begun < rows.length || slots.length > 0) {
    signal?.throwIfAborted()
    const free = capacity - slots.length
    // A prompt read alone costs nearly what a step of the whole batch does.
    const isTime = slots.length === 0 || free >= capacity / 4
    await (begun < rows.length && free > 0 && isTime ? begin() : step())
  }
}

/** The next rows to begin, at most `free`; one at least. */
function nextGroup(rows: readonly DecodingRow[], from: number, free: number): DecodingRow[] {
  const group: DecodingRow[] = []
  let longest = 0
  for (const row of rows.slice(from, from + free)) {
    longest = Math.max(longest, row.prompt.length)
    if (group.length > 0 && (group.length + 1) * longest > PREFILL_TOKENS) break
    group.push(row)
  }
  return group
}
