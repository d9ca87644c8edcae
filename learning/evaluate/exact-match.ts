/** What `string.punctuation` of Python has. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g

/** Whether both texts are equal but for case, ASCII punctuation and white space. */
export function exactMatch(prediction: string, reference: string): boolean {
  return normalize(prediction) === normalize(reference)
}

function normalize(text: string): string {
  return text.toLowerCase().replace(PUNCTUATION, '').trim().replace(/\s+/g, ' ')
}
