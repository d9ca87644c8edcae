import { sha256Hex } from '#base'

/** An instruction, what it is applied to, and the answer. */
export interface Example {
  readonly id: string
  readonly instruction: string
  readonly input: string
  /** The answer that is trained on. */
  readonly output: string
  /** All acceptable answers, `output` among them, where there are several. */
  readonly references?: readonly string[]
  readonly domain?: string
  readonly task?: string
}

/** The acceptable answers of an example. */
export function referencesOf(example: Pick<Example, 'output' | 'references'>): readonly string[] {
  return example.references ?? [example.output]
}

/** The identity of a row that brings none: SHA-256 of its content. */
export function contentId(content: Pick<Example, 'instruction' | 'input' | 'output'>): string {
  return sha256Hex(JSON.stringify([content.instruction, content.input, content.output]))
}

/**
 * The honest split of every data set here: a row is *public* when the first hexadecimal digit of SHA-256(id) is even, else *private*.
 * The cloud's models see public rows only, devices tune on private rows only.
 */
export function isPublic(id: string): boolean {
  return Number.parseInt(sha256Hex(id)[0]!, 16) % 2 === 0
}
