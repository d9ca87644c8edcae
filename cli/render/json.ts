import { escapeControls } from '#base'

/**
 * JSON for stdout. JSON itself lets through some of what a terminal obeys (C1 controls, marks that turn the direction
 * of text), and names come from elsewhere; escaped, they say the same.
 */
export function renderJson(value: unknown): string {
  return escapeControls(JSON.stringify(value))
}
