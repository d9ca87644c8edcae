/**
 * Text that came from elsewhere (peer names, log lines, a model's answer) without what a terminal would obey: control
 * characters, escape sequences, and the marks that reverse the direction of text. `keep` lists control characters to let through.
 */
export function clean(text: string, keep = ''): string {
  const stripped = text.replaceAll(
    /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?)/g,
    '',
  )
  let out = ''
  for (const character of stripped) {
    if (keep.includes(character) || !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(character)) out += character
  }
  return out
}
