// Which levels records have, by share: the mission's mix, that of an error burst, and mixes that the user writes.
import { MillraceError } from '../../protocol/errors.js'

export const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const
export type LevelName = (typeof LEVELS)[number]

/** Shares add up to 1. */
export type Mix = Readonly<Partial<Record<LevelName, number>>>

/** What a cluster of services writes on a usual day; with the default tiers and info at a tenth about one record in eight is kept. */
export const MISSION_MIX: Mix = { INFO: 0.6, DEBUG: 0.2, TRACE: 0.1, WARN: 0.07, ERROR: 0.025, FATAL: 0.005 }
/** What the same services write while something they all need is down. */
export const BURST_MIX: Mix = { INFO: 0.3, DEBUG: 0.05, WARN: 0.1, ERROR: 0.5, FATAL: 0.05 }

/** `info=80,warn=15,error=5`: parts of any sum. Throws `usage.mix`. */
export function parseMix(text: string): Mix {
  const parts = text.split(',').map((part): [LevelName, number] => {
    const [name = '', amount = '', ...more] = part.split('=')
    const level = LEVELS.find((each) => each === name.trim().toUpperCase())
    const share = Number(amount)
    if (level === undefined || amount.trim() === '' || more.length > 0 || !(share >= 0))
      throw badMix(text, part)
    return [level, share]
  })
  const sum = parts.reduce((total, [, share]) => total + share, 0)
  const isTwice = new Set(parts.map(([level]) => level)).size < parts.length
  if (!(sum > 0 && Number.isFinite(sum)) || isTwice) throw badMix(text, text)
  return Object.fromEntries(parts.map(([level, share]) => [level, share / sum]))
}

/** The level at a point of the unit interval. */
export function levelAt(mix: Mix, dice: number): LevelName {
  let below = 0
  for (const level of LEVELS) {
    below += mix[level] ?? 0
    if (dice < below) return level
  }
  return 'INFO'
}

function badMix(text: string, part: string): MillraceError {
  const expected = `level=share pairs such as info=80,warn=15,error=5 with levels ${LEVELS.join(', ').toLowerCase()}`
  return new MillraceError(
    'usage.mix',
    `--mix: "${part}" of "${text}" is not understood; expected ${expected}`,
  )
}
