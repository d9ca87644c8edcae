/** How often each word occurs, most frequent first, of equals in the order of their code units. */
export function countWords(
  texts: Iterable<string>,
  split: (text: string) => readonly string[],
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) {
    for (const word of split(text)) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const byCount = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  return new Map(byCount)
}
