// Cuts a rule's condition into words, quoted texts and signs, each with its column.
import { MillraceError } from '../errors.js'

/** `column` is 1-based, in UTF-16 units; `text` is what the user wrote, for `quoted` without quotes and escapes. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'sign' | 'end'
  readonly text: string
  readonly column: number
}

export const RULE_CHARS_MAX = 16_384
const SIGNS = ['>=', '<=', '==', '!=', '>', '<', '=', '(', ')', '[', ']', ',']
/** A word ends where a space, a sign or a quote begins. What a word may hold is the parser's matter: it knows what it expected. */
const WORD = /[^\s()[\],<>=!"']+/y

/** The last token is always of kind `end`. Throws `config.rule`. */
export function ruleTokens(text: string): Token[] {
  if (text.length > RULE_CHARS_MAX) {
    ruleError(RULE_CHARS_MAX + 1, `a condition has at most ${RULE_CHARS_MAX} characters, not ${text.length}`)
  }
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    const first = text[at] as string
    if (/\s/.test(first)) {
      at++
      continue
    }
    const sign = SIGNS.find((each) => text.startsWith(each, at))
    if (sign !== undefined) {
      tokens.push({ kind: 'sign', text: sign, column: at + 1 })
      at += sign.length
      continue
    }
    if (first === '"' || first === "'") {
      const { value, end } = quoted(text, at)
      tokens.push({ kind: 'quoted', text: value, column: at + 1 })
      at = end
      continue
    }
    WORD.lastIndex = at
    const word = WORD.exec(text)?.[0]
    if (word === undefined) ruleError(at + 1, `expected != or NOT, found ${JSON.stringify(first)}`)
    tokens.push({ kind: 'word', text: word, column: at + 1 })
    at += word.length
  }
  tokens.push({ kind: 'end', text: '', column: text.length + 1 })
  return tokens
}

/** Quotes of either kind; only the quote itself and the backslash are escaped. */
function quoted(text: string, start: number): { readonly value: string; readonly end: number } {
  const quote = text[start]
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === quote) return { value, end: at + 1 }
    if (text[at] === '\\' && (text[at + 1] === quote || text[at + 1] === '\\')) at++
    value += text[at] as string
  }
  return ruleError(start + 1, `this quote is not closed; expected ${quote} after the text`)
}

export function ruleError(column: number, problem: string): never {
  throw new MillraceError('config.rule', `rule: column ${column}: ${problem}`)
}
