// Ids on the command line that begin with a dash: one frame in 64 has such a name, and it is no option.

/** A frame's id (nanoid, 21 characters) that begins with a dash, also with the number of a record. */
const ID_WORD = /^-[\w-]{20}(?:-\d+)?$/
/** What comes before such a word until the command has it. */
const MARK = '='
/** The commands that take an id. */
const TAKE_IDS = new Set(['dlq show', 'audit frame'])

/** The words of a command line with each id marked as what it is. */
export function markIds(argv: readonly string[]): string[] {
  const [command, sub] = argv.slice(2).filter((word) => !word.startsWith('-'))
  if (!TAKE_IDS.has(`${command} ${sub}`)) return [...argv]
  return argv.map((word) => (ID_WORD.test(word) ? `${MARK}${word}` : word))
}

/** For commander: an id as it was given. */
export const idOf = (word: string) => (word.startsWith(MARK) ? word.slice(MARK.length) : word)
