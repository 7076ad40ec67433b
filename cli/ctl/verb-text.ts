// What a node answered to a verb, as text for people.
import { stringify } from 'yaml'
import type { Verb } from '../../protocol/control/verbs.js'
import type { NodeStatus } from '../../protocol/status.js'
import { printableLines } from '../text-table.js'

/** Nothing in it moves the cursor: reasons may quote what a log or a server said. */
export const resultText = (verb: Verb, result: unknown) => printableLines(textOf(verb, result))

function textOf(verb: Verb, result: unknown): string {
  if (verb === 'status') return statusText(result as NodeStatus)
  if (verb === 'actors') return actorsText(result as ActorsResult)
  if (verb === 'drain') return `drained: sources wait; ${lagText(result)}`
  if (verb === 'resume') return 'sources are read again'
  if (verb === 'reload') return reloadText(result as ReloadResult)
  if (verb === 'breaker') return breakerText(result as { readonly backend: string; readonly action: string })
  if (verb === 'capture') return captureText((result as { readonly name: string }).name)
  if (verb === 'boost') return boostText(result as BoostResult)
  const text = stringify(result).trimEnd()
  return text === '{}' ? 'done' : text
}

interface ReloadResult {
  readonly file?: string
  /** Its section sampling counts; otherwise the cluster's settings do. */
  readonly inEffect?: boolean
  readonly warnings?: readonly string[]
}

function reloadText({ file = 'the file', inEffect, warnings = [] }: ReloadResult): string {
  const whose =
    inEffect === false
      ? 'its section sampling does not count: the settings of the cluster do'
      : 'its section sampling is in effect, other sections at the next start'
  return [`${file} was read again; ${whose}`, ...warnings.map((text) => `warning: ${text}`)].join('\n')
}

interface BoostResult {
  readonly match: Readonly<Record<string, string>>
  readonly until?: string
  readonly ended?: boolean
}

function boostText({ match, until, ended }: BoostResult): string {
  const what = Object.entries(match)
    .map(([key, name]) => `${key} ${name}`)
    .join(', ')
  if (until !== undefined) return `everything of ${what} is kept until ${until}`
  return ended === true ? `the boost of ${what} has ended` : `there is no boost of ${what}`
}

function breakerText({ backend, action }: { readonly backend: string; readonly action: string }): string {
  if (action === 'reset') return `the breaker of ${backend} goes by the backend's answers again`
  return `the breaker of ${backend} is held ${action === 'open' ? 'open' : 'closed'}, until \`breaker ${backend} reset\``
}

const captureText = (name: string): string =>
  `captured as ${name}; \`millrace capture get ${name}\` fetches it`

function lagText(result: unknown): string {
  const { lagFrames = {} } = result as { readonly lagFrames?: Readonly<Record<string, number>> }
  const lag = Object.entries(lagFrames).map(([name, frames]) => `${name} ${frames}`)
  return `frames left to deliver: ${lag.join(', ')}`
}

export function statusText(status: NodeStatus): string {
  const { counters, backends, journal } = status
  const control = status.actors['control']?.detail
  const lines = [
    `${status.node} ${status.version}: ${status.ready ? 'ready' : 'NOT READY'}, up ${Math.round(status.uptimeMs / 1000)} s`,
    ...status.reasons.map((reason) => `not ready: ${reason}`),
    ...status.degraded.map((what) => `degraded: ${what}`),
    `records: ${counters.readRecords} read, ${counters.keptRecords} kept`,
    `journal: ${journal.bytes} bytes in ${journal.segments} segments`,
    ...Object.entries(backends).map(
      ([name, { writtenRecords, lagFrames, breaker, deadLetters }]) =>
        `${name}: ${writtenRecords} written, ${lagFrames} frames behind, breaker ${breaker}, ${deadLetters} dead letters`,
    ),
  ]
  if (control !== undefined) {
    const revision = Number(control['settingsRevision'] ?? 0)
    const settings = revision === 0 ? "the file's" : `revision ${revision} of ${control['settingsKey']}`
    lines.push(
      `nats: ${control['connected'] === true ? `connected to ${control['server']}` : 'not connected'}, settings: ${settings}`,
    )
  }
  return lines.join('\n')
}

interface ActorsResult {
  readonly groups: Readonly<
    Record<string, { readonly up: boolean; readonly restarts: number; readonly actors: readonly string[] }>
  >
  readonly actors: NodeStatus['actors']
}

function actorsText({ groups, actors }: ActorsResult): string {
  return Object.entries(groups)
    .flatMap(([group, { up, restarts, actors: members }]) => [
      `${group}: ${up ? 'up' : 'DOWN'}, ${restarts} restarts`,
      ...members.map((actor) => {
        const said = actors[actor]
        return `  ${actor}${said?.reason === undefined ? '' : `: ${said.reason}`}`
      }),
    ])
    .join('\n')
}
