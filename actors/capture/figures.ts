// Reads what the control groups of a container and its pod say of memory, CPU and processes, raw and as numbers.
import { join } from 'node:path'
import { type CgroupPlace, readText } from './cgroup-tree.js'

export interface GroupFigures {
  readonly folder: string
  /** False when the runtime has removed the group already. */
  readonly present: boolean
  readonly usageBytes?: number
  readonly peakBytes?: number
  /** Undefined where there is none. */
  readonly limitBytes?: number
  readonly swapBytes?: number
  readonly oomKills?: number
  readonly oomKillerEnabled?: boolean
  /** One OOM kill takes the whole group with it (v2). */
  readonly oomGroup?: boolean
  readonly processes?: number
  readonly stat?: Readonly<Record<string, number>>
}

export interface Figures {
  readonly version: 1 | 2
  readonly container?: GroupFigures
  readonly pod: GroupFigures
  /** `# <folder>/<file>` and its text, one after the other. */
  readonly raw: string
}

const FILES_V2 = [
  ...['memory.current', 'memory.peak', 'memory.max', 'memory.high', 'memory.low', 'memory.swap.current'],
  ...['memory.swap.max', 'memory.events', 'memory.events.local', 'memory.oom.group', 'memory.stat'],
  ...['memory.pressure', 'cpu.stat', 'cpu.max', 'cpu.pressure', 'io.pressure'],
  ...['pids.current', 'pids.max', 'pids.peak', 'cgroup.events'],
]
const FILES_V1 = [
  ...['memory.usage_in_bytes', 'memory.max_usage_in_bytes', 'memory.limit_in_bytes', 'memory.failcnt'],
  ...['memory.memsw.usage_in_bytes', 'memory.memsw.limit_in_bytes', 'memory.kmem.usage_in_bytes'],
  ...['memory.oom_control', 'memory.swappiness', 'memory.stat'],
]
const RAW_BYTES_MAX = 64 * 1024
/** v1 writes "no limit" as a number near 2^63 (rounded to a page). */
const NO_LIMIT_V1 = 2 ** 62

export function readFigures(place: CgroupPlace): Figures {
  const { version } = place
  const container =
    place.containerFolder === undefined ? undefined : readGroup(place.containerFolder, version)
  const pod = readGroup(place.podFolder, version)
  return {
    version,
    ...(container === undefined ? {} : { container: container.figures }),
    pod: pod.figures,
    raw: `${container?.raw ?? ''}${pod.raw}`,
  }
}

function readGroup(folder: string, version: 1 | 2): { figures: GroupFigures; raw: string } {
  const texts = new Map<string, string>()
  for (const file of [...(version === 2 ? FILES_V2 : FILES_V1), 'cgroup.procs']) {
    const text = readText(join(folder, file))
    if (text !== undefined) texts.set(file, text.slice(0, RAW_BYTES_MAX))
  }
  const raw = [...texts].map(([file, text]) => `# ${folder}/${file}\n${text.trimEnd()}\n\n`).join('')
  const procs = texts.get('cgroup.procs')
  const figures = {
    folder,
    present: texts.size > 0,
    processes: procs === undefined ? undefined : procs.split('\n').filter((line) => line !== '').length,
    ...(version === 2 ? figuresV2(texts) : figuresV1(texts)),
  }
  const known = Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined))
  return { figures: known as unknown as GroupFigures, raw }
}

function figuresV2(texts: ReadonlyMap<string, string>) {
  const number = (file: string) => numberOf(texts.get(file))
  const group = number('memory.oom.group')
  return {
    usageBytes: number('memory.current'),
    peakBytes: number('memory.peak'),
    limitBytes: number('memory.max'),
    swapBytes: number('memory.swap.current'),
    oomKills: fieldsOf(texts.get('memory.events'))?.['oom_kill'],
    // v2 has no switch for it.
    oomKillerEnabled: texts.size > 0 ? true : undefined,
    oomGroup: group === undefined ? undefined : group === 1,
    stat: fieldsOf(texts.get('memory.stat')),
  }
}

function figuresV1(texts: ReadonlyMap<string, string>) {
  const number = (file: string) => numberOf(texts.get(file))
  const limit = number('memory.limit_in_bytes')
  const usage = number('memory.usage_in_bytes')
  const withSwap = number('memory.memsw.usage_in_bytes')
  const control = fieldsOf(texts.get('memory.oom_control'))
  return {
    usageBytes: usage,
    peakBytes: number('memory.max_usage_in_bytes'),
    limitBytes: limit === undefined || limit >= NO_LIMIT_V1 ? undefined : limit,
    swapBytes: withSwap === undefined || usage === undefined ? undefined : Math.max(0, withSwap - usage),
    oomKills: control?.['oom_kill'],
    oomKillerEnabled: control === undefined ? undefined : control['oom_kill_disable'] === 0,
    stat: fieldsOf(texts.get('memory.stat')),
  }
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined
}

/** `key number` lines. */
function fieldsOf(text: string | undefined): Record<string, number> | undefined {
  if (text === undefined) return undefined
  return Object.fromEntries(
    [...text.matchAll(/^(\S+) (\d+)$/gm)].map(([, key, value]) => [key, Number(value)]),
  )
}
