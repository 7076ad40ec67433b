// Finds the HTTP address of a running node and speaks to it.
import { existsSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { MillraceError, systemCode } from '../protocol/errors.js'
import type { NodeStatus } from '../protocol/status.js'
import { loadReach } from '../runtime/config/reach.js'
import { splitListen } from '../runtime/http/listen.js'
import { CONFIG_FILE, warn } from './options.js'

const DEFAULT_ADDRESS = '127.0.0.1:7700'
const ANSWER_TIMEOUT_MS = 5000
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

/** `--address`, else http.listen of the configuration; without the default file, the default address. */
export function nodeAddress(options: { readonly config: string; readonly address?: string }): string {
  if (options.address !== undefined) {
    const { host, port } = splitListen(options.address)
    if (host !== '' && port > 0 && port <= 65_535) return options.address
    throw new MillraceError(
      'usage.address',
      `--address: got ${JSON.stringify(options.address)}, expected host:port such as ${DEFAULT_ADDRESS}`,
    )
  }
  if (options.config === CONFIG_FILE && !existsSync(CONFIG_FILE)) return DEFAULT_ADDRESS
  return reachable(loadReach(options.config, ['http'], warn).http.listen)
}

/** A node that listens on all addresses is met on loopback. */
function reachable(listen: string): string {
  return listen.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')
}

/** Throws `node.unreachable` when no node listens, `node.answer` when it refuses or is no node. */
export async function fetchStatus(address: string, signal?: AbortSignal): Promise<NodeStatus> {
  const response = await open(address, '/status', signal)
  const body = await readAll(response)
  try {
    return JSON.parse(body) as NodeStatus
  } catch (error) {
    throw new MillraceError(
      'node.answer',
      `${address} answers /status with something else than JSON; is it a millrace node?`,
      { cause: error },
    )
  }
}

/** The node's metrics as Prometheus text. Throws as fetchStatus. */
export async function fetchMetrics(address: string, signal?: AbortSignal): Promise<string> {
  return readAll(await open(address, '/metrics', signal))
}

/** The answer's head has come and is a 200; its body is the caller's. */
export function open(address: string, path: string, signal?: AbortSignal): Promise<IncomingMessage> {
  const { host, port } = splitListen(address)
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host, port, path, ...(signal === undefined ? {} : { signal }) },
      (response) => {
        outgoing.setTimeout(0)
        if (response.statusCode === 200) return resolve(response)
        readAll(response).then(
          (body) => reject(refused(address, path, response.statusCode ?? 0, body.trim())),
          reject,
        )
      },
    )
    outgoing.setTimeout(ANSWER_TIMEOUT_MS, () =>
      outgoing.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS} ms`)),
    )
    outgoing.on('error', (error) => reject(unreachable(address, error)))
    outgoing.end()
  })
}

function refused(address: string, path: string, status: number, body: string): MillraceError {
  const code = status === 400 ? 'usage.refused' : 'node.answer'
  const reason = body === '' ? '' : `: ${body.split('\n')[0]}`
  return new MillraceError(code, `${address} answers ${path.split('?')[0]} with ${status}${reason}`)
}

function unreachable(address: string, error: Error): MillraceError {
  const why = systemCode(error) ?? error.message
  const message = `no node answers on ${address} (${why}); start one with \`millrace run\`, or name its http.listen with --address`
  return new MillraceError('node.unreachable', message, { cause: error })
}

async function readAll(response: IncomingMessage): Promise<string> {
  let body = ''
  response.setEncoding('utf8')
  for await (const piece of response) {
    body += piece as string
    if (body.length > ANSWER_BYTES_MAX)
      throw new MillraceError('node.answer', `an answer exceeds ${ANSWER_BYTES_MAX} bytes`)
  }
  return body
}
