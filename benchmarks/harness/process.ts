// Other processes seen from outside, through /proc: CPU, memory, descriptors; and running one to its end.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export interface Usage {
  readonly cpuSeconds: number
  readonly rssBytes: number
  readonly peakRssBytes: number
  readonly descriptors: number
}

/** USER_HZ; 100 on every Linux that Node runs on, asked for where the tool is there. */
let ticksPerSecond: number | undefined

/** Linux only. Undefined when the process is gone. */
export function usageOf(pid: number): Usage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in brackets may hold spaces: fields are counted behind it (proc_pid_stat(5): utime is the 14th, stime the 15th).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    const kilobytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN)
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / clockTicks(),
      rssBytes: kilobytes('VmRSS') * 1024,
      peakRssBytes: kilobytes('VmHWM') * 1024,
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
    }
  } catch {
    return undefined
  }
}

function clockTicks(): number {
  if (ticksPerSecond === undefined) {
    try {
      ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) || 100
    } catch {
      ticksPerSecond = 100
    }
  }
  return ticksPerSecond
}

/** Runs a Node program and resolves with the last line it printed. Rejects when it ends with anything but 0. */
export async function lastLineOf(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  const code = await exitOf(child)
  if (code !== 0) throw new Error(`${args.slice(0, 3).join(' ')} ended with ${code}`)
  return text.trim().split('\n').at(-1) ?? ''
}

/** The exit code, or the signal's name. */
export function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(code ?? signal ?? -1))
  })
}
