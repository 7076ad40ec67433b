// What a figure was measured on.
import { cpus, loadavg, release, totalmem } from 'node:os'
import { readVersion } from '../../runtime/version.js'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly os: string
  readonly node: string
  readonly millrace: string
  /** Of the last minute before the run. Above 1 other work took part of the machine. */
  readonly loadBefore: number
}

export function describeMachine(): Machine {
  const all = cpus()
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryBytes: totalmem(),
    os: `${process.platform} ${process.arch} ${release()}`,
    node: process.version,
    millrace: readVersion(),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  }
}

export function machineText({ cpu, cores, memoryBytes, os, node, loadBefore }: Machine): string {
  const memory = `${Math.round(memoryBytes / 2 ** 30)} GiB`
  return `${cpu}, ${cores} cores, ${memory}, ${os}, node ${node}, load ${loadBefore} before the run`
}
