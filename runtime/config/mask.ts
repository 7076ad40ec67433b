// Hides the characters of `${…}` from the YAML parser, one for one, so that `{ id: ${HOSTNAME:-local} }` is YAML and columns stay true.

/** Masked characters are their ASCII code behind this private-use code point. */
const MASK_BASE = 0xf500
const VARIABLE = /\$?\$\{[^}\n]*\}/g
const MASKED = /[\uf500-\uf57f]/g

/** The result has the same length. Text that has those private-use characters itself would come back changed: see `maskConflict`. */
export function maskVariables(text: string): string {
  return text.replace(VARIABLE, (variable) =>
    variable.replace(/[ -~]/g, (char) => String.fromCharCode(MASK_BASE + char.charCodeAt(0))),
  )
}

export function unmaskVariables(text: string): string {
  return text.replace(MASKED, (char) => String.fromCharCode(char.charCodeAt(0) - MASK_BASE))
}

/** Offset of the first character that masking could not tell from its own, or −1. */
export function maskConflict(text: string): number {
  return text.search(MASKED)
}
