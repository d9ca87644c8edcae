import type { Tokenizer } from '#learning/text'

/** Turns ids into text as they come, holding back the bytes of a character that is not whole yet. */
export function textStream(
  tokenizer: Tokenizer,
  onToken: (text: string, index: number) => void,
): (id: number, index: number) => void {
  const streams = new Map<number, { ids: number[]; shown: number }>()
  return (id, index) => {
    const stream = streams.get(index) ?? { ids: [], shown: 0 }
    streams.set(index, stream)
    stream.ids.push(id)
    const text = tokenizer.decode(stream.ids)
    if (text.endsWith('\uFFFD') || text.length <= stream.shown) return
    onToken(text.slice(stream.shown), index)
    stream.shown = text.length
  }
}
