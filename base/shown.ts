/** Longest name or value that is worth reading. */
const MAX_CHARACTERS = 200

/**
 * Text from elsewhere as it may stand in a sentence: what a terminal would obey is escaped as in JSON, and what is long
 * is cut.
 */
export function shown(text: string, maxCharacters = MAX_CHARACTERS): string {
  const cut = text.length > maxCharacters ? `${text.slice(0, maxCharacters)}...` : text
  return escapeControls(cut)
}

/** A value from elsewhere as JSON, likewise. */
export function shownJson(value: unknown): string {
  return shown(JSON.stringify(value) ?? 'undefined')
}

/** Escapes control characters, marks that turn the direction of text, and halves of code points as `\uXXXX`. */
export function escapeControls(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join(''),
  )
}
