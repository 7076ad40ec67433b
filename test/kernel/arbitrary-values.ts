// Generators of timestamps and levels, readable and not, for the kernel's property tests.
import fc from 'fast-check'

const two = (max: number) => fc.integer({ min: 0, max }).map((n) => String(n).padStart(2, '0'))
const date = fc
  .tuple(
    fc.integer({ min: 1968, max: 2263 }),
    two(13),
    two(32),
    fc.constantFrom('T', 'T', 'T', 't', ' ', '_'),
    two(24),
    two(60),
    two(61),
  )
  .map(([y, mo, d, t, h, mi, s]) => `${y}-${mo}-${d}${t}${h}:${mi}:${s}`)
export const niceDate = fc
  .date({ min: new Date(0), max: new Date('2261-12-31T23:59:59Z'), noInvalidDate: true })
  .map((at) => at.toISOString().slice(0, 19))
const fraction = fc.oneof(
  fc.constant(''),
  fc
    .tuple(fc.constantFrom('.', '.', ','), fc.stringMatching(/^[0-9]{1,12}$/))
    .map(([mark, digits]) => mark + digits),
  fc.constantFrom('.', '.x'),
)
const zone = fc.oneof(
  fc.constantFrom(
    'Z',
    'Z',
    'Z',
    'z',
    '',
    ' Z',
    '+01:00',
    '-0330',
    '+05',
    ' +0000',
    '+24:00',
    '+01:60',
    '+1',
    'UTC',
    ' ',
  ),
  fc.tuple(fc.constantFrom('+', '-'), two(25), two(61)).map(([sign, h, m]) => `${sign}${h}:${m}`),
)
export const timeText = fc
  .tuple(fc.oneof({ weight: 3, arbitrary: niceDate }, { weight: 2, arbitrary: date }), fraction, zone)
  .map((parts) => parts.join(''))
export const epochText = fc.oneof(
  fc.bigInt({ min: 0n, max: 10n ** 20n }).map(String),
  fc
    .tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 99 }))
    .map(([n, m]) => `${m}${'0'.repeat(n)}`),
  fc
    .tuple(fc.bigInt({ min: 0n, max: 10n ** 19n }), fc.stringMatching(/^[0-9]{1,12}$/))
    .map(([whole, rest]) => `${whole}.${rest}`),
)

const LEVEL_WORDS = [
  ...'trace TRC Verbose debug DBG info INFO Information informational notice log'.split(' '),
  ...'warn WARNING wrn error ERR eror fatal CRITICAL crit alert emerg emergency'.split(' '),
  ...'panic dpanic severe I w e F x infos warnin emergencx informatiox 30 7 07'.split(' '),
  '',
]
export const levelText = fc.oneof(
  fc.constantFrom(...LEVEL_WORDS),
  fc.integer({ min: 0, max: 110 }).map(String),
)
