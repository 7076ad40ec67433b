// The Kubernetes API over HTTP: list and watch of a node's pods; metadata only, unless their containers matter.
import { request as requestPlain, type IncomingMessage } from 'node:http'
import { request as requestTls } from 'node:https'
import type { KubeAccess } from './access.js'
import { eventTextsOf } from './pod-facts.js'
import { podMetaOf, resourceVersionOf, type PodEvent, type PodMeta, type PodsApi } from './pods-api.js'

// Where labels are all that is wanted, only the metadata of pods is asked for (kubernetes.io/docs/reference/using-api/api-concepts, "Metadata-only fetches").
const ACCEPT_LIST = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json'
const ACCEPT_WATCH = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json'
const PAGE = 500
const PAGES_MAX = 20
const LIST_TIMEOUT_MS = 10_000
const LIST_BYTES_MAX = 32 * 1024 * 1024
const WATCH_SECONDS = 300
/** The server ends a watch by itself; one that stays silent longer is dead. */
const WATCH_SILENCE_MS = (WATCH_SECONDS + 30) * 1000
const EVENT_BYTES_MAX = 4 * 1024 * 1024
const EVENTS_MAX = 100

/** `whole`: pods with their specification and status, not their metadata alone. */
export function httpPodsApi(access: KubeAccess, { whole = false } = {}): PodsApi {
  async function get(
    query: Record<string, string>,
    metadataOnly: string,
    timeoutMs: number,
    signal: AbortSignal,
    path = 'pods',
  ): Promise<IncomingMessage> {
    const accept = whole ? 'application/json' : metadataOnly
    const url = new URL(`${access.server.pathname.replace(/\/$/, '')}/api/v1/${path}`, access.server)
    url.search = new URLSearchParams(query).toString()
    const options = await access.requestOptions()
    const request = url.protocol === 'http:' ? requestPlain : requestTls
    return new Promise((resolve, reject) => {
      const call = request(url, { ...options, signal, headers: { ...options.headers, accept } }, resolve)
      call.setTimeout(timeoutMs, () => call.destroy(new Error(`no answer for ${timeoutMs} ms`)))
      call.on('socket', (socket) => socket.setKeepAlive(true, 30_000))
      call.on('error', reject)
      call.end()
    })
  }

  async function page(nodeName: string, next: string, signal: AbortSignal): Promise<RawList> {
    const query = {
      fieldSelector: `spec.nodeName=${nodeName}`,
      limit: String(PAGE),
      ...(next === '' ? {} : { continue: next }),
    }
    const response = await get(query, ACCEPT_LIST, LIST_TIMEOUT_MS, signal)
    const body = await bodyOf(response, LIST_BYTES_MAX)
    if (response.statusCode !== 200)
      throw new Error(`list of pods answered ${response.statusCode}: ${body.slice(0, 200)}`)
    return JSON.parse(body) as RawList
  }

  return {
    address: access.server.origin,
    async list(nodeName, signal) {
      const pods: PodMeta[] = []
      let next = ''
      for (let pages = 0; pages < PAGES_MAX; pages++) {
        const list = await page(nodeName, next, signal)
        for (const item of list.items ?? []) {
          const pod = podMetaOf(item)
          if (pod !== undefined) pods.push(pod)
        }
        next = list.metadata?.continue ?? ''
        if (next === '') return { pods, resourceVersion: resourceVersionOf(list) }
      }
      throw new Error(`more than ${PAGE * PAGES_MAX} pods on node ${nodeName}`)
    },
    async watch(nodeName, resourceVersion, onEvent, signal) {
      const query = {
        watch: 'true',
        allowWatchBookmarks: 'true',
        fieldSelector: `spec.nodeName=${nodeName}`,
        timeoutSeconds: String(WATCH_SECONDS),
        resourceVersion,
      }
      const response = await get(query, ACCEPT_WATCH, WATCH_SILENCE_MS, signal)
      if (response.statusCode === 410) {
        response.resume()
        return 'gone'
      }
      if (response.statusCode !== 200) {
        throw new Error(
          `watch of pods answered ${response.statusCode}: ${(await bodyOf(response, 4096)).slice(0, 200)}`,
        )
      }
      for await (const line of linesOf(response)) {
        const event = eventOf(line)
        if (event === 'gone') {
          response.destroy()
          return 'gone'
        }
        if (event !== undefined) onEvent(event)
      }
      return 'ended'
    },
    async events(namespace, podUid, signal) {
      const query = { fieldSelector: `involvedObject.uid=${podUid}`, limit: String(EVENTS_MAX) }
      const path = `namespaces/${encodeURIComponent(namespace)}/events`
      const response = await get(query, 'application/json', LIST_TIMEOUT_MS, signal, path)
      const body = await bodyOf(response, EVENT_BYTES_MAX)
      if (response.statusCode !== 200)
        throw new Error(`list of events answered ${response.statusCode}: ${body.slice(0, 200)}`)
      return eventTextsOf(JSON.parse(body))
    },
  }
}

interface RawList {
  readonly items?: readonly unknown[]
  readonly metadata?: { readonly continue?: string; readonly resourceVersion?: string }
}

/** One line of a watch. Throws when the server reports an error that is not 410. */
function eventOf(line: string): PodEvent | 'gone' | undefined {
  const raw = JSON.parse(line) as { type?: string; object?: { code?: number; message?: string } }
  const resourceVersion = resourceVersionOf(raw.object)
  switch (raw.type) {
    case 'ERROR':
      if (raw.object?.code === 410) return 'gone'
      throw new Error(`watch of pods failed: ${raw.object?.message ?? 'no reason given'}`)
    case 'BOOKMARK':
      return { type: 'bookmark', resourceVersion }
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED': {
      const pod = podMetaOf(raw.object)
      return pod && { type: raw.type === 'DELETED' ? 'deleted' : 'put', resourceVersion, pod }
    }
    default:
      return undefined
  }
}

async function bodyOf(response: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new Error(`answer of more than ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of response as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      if (end > 0) yield rest.toString('utf8', 0, end)
      rest = rest.subarray(end + 1)
    }
    if (rest.length > EVENT_BYTES_MAX) throw new Error(`watch event of more than ${EVENT_BYTES_MAX} bytes`)
  }
}
