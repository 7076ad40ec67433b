// What every real server has in common: install, launch, readiness, stop.
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { end, type Launch, launch, runningPid } from './process.js'
import { backendsDir, ownUrl, type ServerName } from './settings.js'

export type Server = {
  readonly name: ServerName
  readonly title: string
  /** Installs what is absent; throws a MissingTool where the machine lacks what that takes. */
  install(): Promise<void>
  /** Writes the config and says how to start the process. */
  launch(): Launch
  /** True when it takes requests; may throw while it does not. */
  isReady(): Promise<boolean>
  readonly readyTimeoutMs: number
  readonly stopGraceMs: number
}

const logFileOf = (server: Server) => path.join(backendsDir(), 'run', `${server.name}.log`)
const pidFile = (server: Server) => path.join(backendsDir(), 'run', `${server.name}.pid`)

export async function answers(server: Server): Promise<boolean> {
  try {
    return await server.isReady()
  } catch {
    return false
  }
}

/** Starts the server if it does not run yet and waits until it takes requests. */
export async function startServer(server: Server): Promise<'started' | 'already running'> {
  await server.install()
  const running = runningPid(pidFile(server)) !== undefined
  if (!running) {
    if (await answers(server)) {
      throw new Error(
        `${ownUrl(server.name)} is taken by a ${server.name} that was not started here: stop it or set MILLRACE_${server.name.toUpperCase()}_PORT`,
      )
    }
    launch(pidFile(server), logFileOf(server), server.launch())
  }
  await waitUntilReady(server)
  return running ? 'already running' : 'started'
}

async function waitUntilReady(server: Server): Promise<void> {
  const deadline = Date.now() + server.readyTimeoutMs
  while (!(await answers(server))) {
    const logFile = logFileOf(server)
    if (runningPid(pidFile(server)) === undefined)
      throw new Error(`${server.title} ended while starting: see ${logFile}`)
    if (Date.now() > deadline) {
      throw new Error(`${server.title} is not ready after ${server.readyTimeoutMs / 1000} s: see ${logFile}`)
    }
    await sleep(250)
  }
}

/** True if it ran. */
export const stopServer = (server: Server): Promise<boolean> =>
  end(pidFile(server), 'SIGTERM', server.stopGraceMs)

/** The crash a test wants to see survived: SIGKILL to the whole process group. */
export const killServer = (server: Server): Promise<boolean> => end(pidFile(server), 'SIGKILL', 5_000)

export const serverPid = (server: Server): number | undefined => runningPid(pidFile(server))
