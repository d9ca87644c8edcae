/**
 * What a model reads before it answers: `instruction`, `input` and the mark `= `, on lines of their own. The answer follows at
 * once: the output's tokens, then end-of-sequence. No token begins the sequence.
 */
export function renderPrompt(example: {
  readonly instruction: string
  readonly input: string
}): string {
  return `${example.instruction}\n${example.input}\n= `
}
