// What one option alone can't tell: checks that need two options, or the file system.
import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Config } from '../../protocol/config/schema.js'
import { MillraceError, systemCode } from '../../protocol/errors.js'
import { bufferFindings } from './buffer-checks.js'
import { samplingFindings } from './sampling-section.js'
import { flowActors, placeActors } from '../placement.js'
import { formatBytes } from '../../protocol/config/units.js'

interface Finding {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** Expects absolute paths (see paths.ts). */
export function crossCheck(config: Config): Finding[] {
  return [
    ...atLeastOne(config),
    ...dataDir(config.node.data_dir),
    ...Object.entries(config.sources).flatMap(([name, source]) =>
      source.type === 'http' ? httpSource(name, source) : [],
    ),
    ...Object.entries(config.backends).flatMap(([name, backend]) => credentials(name, backend)),
    ...Object.entries(config.backends).flatMap(([name, backend]) => retryBounds(name, backend.retry)),
    ...listenTwice(config),
    ...journalBounds(config),
    ...releaseNeeds(config),
    ...natsSignIn(config.nats),
    ...placement(config),
    ...samplingFindings(config.sampling),
    ...costs(config),
    ...captureStore(config),
    ...bufferFindings(config),
  ]
}

function atLeastOne(config: Config): Finding[] {
  const found: Finding[] = []
  if (config.node.role !== 'writer' && Object.keys(config.sources).length === 0) {
    found.push({
      path: ['sources'],
      message:
        'sources: got none, expected at least one; add for example app: { type: file, include: [logs/*.log] }',
    })
  }
  if (config.node.role !== 'agent' && Object.keys(config.backends).length === 0) {
    found.push({
      path: ['backends'],
      message:
        'backends: got none, expected at least one; add for example es: { type: elasticsearch, url: http://127.0.0.1:9200 }',
    })
  }
  return found
}

function dataDir(folder: string): Finding[] {
  const finding = (problem: string): Finding[] => [
    { path: ['node', 'data_dir'], message: `node.data_dir: ${folder} ${problem}` },
  ]
  try {
    return statSync(folder).isDirectory() ? [] : finding('is a file, expected a folder; name another place')
  } catch (error) {
    const code = systemCode(error) ?? String(error)
    // One that does not exist yet is made at the start.
    if (code === 'ENOENT') return []
    if (code === 'ENOTDIR') return finding('lies beneath a file; name another place')
    return finding(`can not be looked at (${code}); change the permissions or name another place`)
  }
}

/** Loopback by name or by number (127.0.0.0/8, ::1). */
export function isLoopback(listen: string): boolean {
  const host = listen.slice(0, listen.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function httpSource(
  name: string,
  source: { readonly listen: string; readonly token_file?: string | undefined },
): Finding[] {
  if (source.token_file !== undefined || isLoopback(source.listen)) return []
  const path = ['sources', name, 'listen']
  return [
    {
      path,
      message: `sources.${name}.listen: ${source.listen} is not loopback and there is no token_file, so anyone could push; add token_file, or listen on 127.0.0.1`,
    },
  ]
}

function credentials(name: string, backend: Config['backends'][string]): Finding[] {
  if (backend.type === 'archive') return []
  const at = (key: string, problem: string): Finding => ({
    path: ['backends', name, key],
    message: `backends.${name}.${key}: ${problem}`,
  })
  const found: Finding[] = []
  const has = (key: string) => key in backend && (backend as Record<string, unknown>)[key] !== undefined
  for (const key of ['password', 'api_key']) {
    if (has(key) && has(`${key}_file`))
      found.push(at(`${key}_file`, `${key} is set as well; keep one of them`))
  }
  const password = has('password') || has('password_file')
  if (has('username') && !password)
    found.push(at('username', 'there is no password; add password or password_file'))
  if (password && !has('username'))
    found.push(at(has('password') ? 'password' : 'password_file', 'there is no username; add it'))
  const tokens = ['api_key', 'api_key_file', 'bearer_token_file'].filter(has)
  if (password && tokens[0] !== undefined)
    found.push(at(tokens[0], 'username and password are set as well; keep one way to sign in'))
  const url = new URL(backend.url)
  if (url.username !== '' || url.password !== '')
    found.push(at('url', 'holds credentials; move them to username and password_file'))
  if (url.search !== '' || url.hash !== '')
    found.push(at('url', 'holds a query; leave it out, credentials have keys of their own'))
  return found
}

function retryBounds(name: string, retry: { readonly initial: number; readonly max: number }): Finding[] {
  if (retry.initial <= retry.max) return []
  const path = ['backends', name, 'retry', 'initial']
  return [{ path, message: `backends.${name}.retry.initial: is longer than retry.max; make it shorter` }]
}

function listenTwice(config: Config): Finding[] {
  const taken = new Map([[config.http.listen, 'http.listen']])
  const found: Finding[] = []
  for (const [name, source] of Object.entries(config.sources)) {
    if (source.type !== 'http' || source.listen.endsWith(':0')) continue
    const other = taken.get(source.listen)
    const option = `sources.${name}.listen`
    if (other === undefined) taken.set(source.listen, option)
    else
      found.push({
        path: ['sources', name, 'listen'],
        message: `${option}: ${source.listen} is also ${other}; choose another port`,
      })
  }
  return found
}

function costs({ report, backends }: Config): Finding[] {
  return Object.keys(report.cost)
    .filter((name) => !Object.hasOwn(backends, name))
    .map((name) => ({
      path: ['report', 'cost', name],
      message: `report.cost.${name}: there is no backend of this name; there are ${Object.keys(backends).join(', ')}`,
    }))
}

/** One way to sign in to NATS, whole. */
function natsSignIn(nats: Config['nats']): Finding[] {
  if (nats === undefined) return []
  const at = (key: string, problem: string): Finding => ({
    path: ['nats', key],
    message: `nats.${key}: ${problem}`,
  })
  const found: Finding[] = []
  if (nats.token !== undefined && nats.token_file !== undefined)
    found.push(at('token_file', 'token is set as well; keep one of them'))
  if (nats.password !== undefined && nats.password_file !== undefined)
    found.push(at('password_file', 'password is set as well; keep one of them'))
  const password = nats.password !== undefined || nats.password_file !== undefined
  if (nats.username !== undefined && !password)
    found.push(at('username', 'there is no password; add password or password_file'))
  if (nats.username === undefined && password)
    found.push(at(nats.password === undefined ? 'password_file' : 'password', 'there is no username; add it'))
  const ways = [
    nats.creds_file === undefined ? undefined : 'creds_file',
    nats.nkey_file === undefined ? undefined : 'nkey_file',
    nats.token_file !== undefined ? 'token_file' : nats.token === undefined ? undefined : 'token',
    nats.username === undefined ? undefined : 'username',
  ].filter((way) => way !== undefined)
  if (ways[1] !== undefined) found.push(at(ways[1], `${ways[0]} is set as well; keep one way to sign in`))
  if ((nats.tls?.cert_file === undefined) !== (nats.tls?.key_file === undefined))
    found.push(at('tls', 'cert_file and key_file belong together; set both or none'))
  if (nats.retry.initial > nats.retry.max)
    found.push(at('retry', 'initial is longer than max; make it shorter'))
  return found
}

/** What leaves the journal early has to be copied by somebody, from somewhere. */
function releaseNeeds({ journal, audit, backends }: Config): Finding[] {
  if (journal.at_bound !== 'release') return []
  const finding = (problem: string): Finding[] => [
    { path: ['journal', 'at_bound'], message: `journal.at_bound: release ${problem}, or choose block` },
  ]
  if (!audit.enabled || !audit.repair)
    return finding(
      'needs the audit, which copies what left from another backend; set audit.enabled and audit.repair',
    )
  if (Object.keys(backends).length < 2) return finding('needs a second backend to copy from; add one')
  return []
}

function journalBounds({ journal }: Config): Finding[] {
  if (journal.bytes_max >= journal.segment_bytes * 2) return []
  const least = formatBytes(journal.segment_bytes * 2)
  const message = `journal.bytes_max: got ${formatBytes(journal.bytes_max)}, expected at least two segments (${least}); raise it or lower journal.segment_bytes`
  return [{ path: ['journal', 'bytes_max'], message }]
}

function captureStore({ capture, nats }: Config): Finding[] {
  const { store } = capture
  const finding = (key: string, problem: string): Finding => ({
    path: ['capture', 'store', key],
    message: `capture.store.${key}: ${problem}`,
  })
  if (store?.type === 'nats' && nats === undefined)
    return [finding('type', 'nats needs the section nats; add it, or choose s3 or folder')]
  if (store?.type !== 's3') return []
  const { secret_access_key: text, secret_access_key_file: file } = store
  if (text === undefined && file === undefined)
    return [finding('access_key_id', 'there is no secret_access_key; add it or secret_access_key_file')]
  if (text !== undefined && file !== undefined)
    return [finding('secret_access_key_file', 'secret_access_key is set as well; keep one of them')]
  return []
}

function placement(config: Config): Finding[] {
  if (config.runtime.placement === undefined) return []
  const control = [
    ...(config.audit.enabled ? ['auditor'] : []),
    ...(config.nats === undefined ? [] : ['control']),
  ]
  const actors = [...flowActors(config), ...control]
  try {
    placeActors(actors, config.runtime.placement, 1)
    return []
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return [{ path: ['runtime', 'placement'], message: error.message }]
  }
}
