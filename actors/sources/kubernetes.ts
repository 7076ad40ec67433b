// The kubernetes source: follows the logs of this node's containers; what the host knows of a pod wins over what it claims.
import { resolve } from 'node:path'
import type { RecordsOptions } from '../../protocol/config/node.js'
import type { KubernetesSourceOptions } from '../../protocol/config/sources.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { describeContainer, namespaceFilter } from './kubernetes/describe.js'
import { containerLogOf, containerLogSearch, type ContainerLog } from './kubernetes/find.js'
import { createPodLabels, type PodLabels } from './kubernetes/pod-labels.js'
import { createPodReport } from './kubernetes/pod-report.js'
import type { PodsApi } from './kubernetes/pods-api.js'
import { tailActor } from './tail/actor.js'
import { createConditions } from './tail/conditions.js'
import { createFolders } from './tail/folder.js'
import type { FoundLog, OriginFields } from './tail/found.js'

export interface KubernetesSource {
  readonly name: string
  readonly options: KubernetesSourceOptions
  readonly records: RecordsOptions
  /** It tells the actor `capture` what becomes of the pods' containers. */
  readonly reportsPods?: boolean
  /** Replaces the API client. */
  readonly api?: PodsApi
}

export function kubernetesSource(context: ActorContext, source: KubernetesSource): Actor {
  const { name, options, records } = source
  const root = resolve(options.path)
  const nodeName = options.node_name ?? process.env['NODE_NAME'] ?? context.node.id
  const conditions = createConditions(context, name)
  const folders = createFolders(conditions, context.clock.monotonic)
  const wantsNamespace = namespaceFilter(options)
  const report = source.reportsPods === true ? createPodReport(context) : undefined
  const labels: PodLabels = createPodLabels({
    context,
    source: name,
    nodeName,
    waitMs: options.labels_wait,
    async open() {
      const api = source.api ?? (await ownApi(options, report !== undefined))
      report?.open(api)
      return api
    },
    ...(report === undefined ? {} : { onPods: report.pods }),
    onChange(uids) {
      actor.engine()?.describeAgain((log) => isContainerLog(log) && uids.has(log.pod.podUid))
    },
  })

  function describe(log: FoundLog): OriginFields {
    if (!isContainerLog(log)) throw new TypeError(`${log.livePath} is not a container log`)
    const { pod, containerName } = log
    return describeContainer({ pod, containerName, nodeName, labels: labels.of(pod.podUid) }, options)
  }

  const actor = tailActor({
    context,
    source: name,
    tail: options,
    records,
    logs: {
      find: containerLogSearch({ root, wantsNamespace, folders, conditions }),
      logOf: (path) => containerLogOf(root, path),
      describe,
      admit: (log, waitedMs) => !isContainerLog(log) || labels.admit(log.pod.podUid, waitedMs),
    },
    begin: () => labels.start(),
    conditions,
    end: () => labels.stop(),
    status: () => labels.status(),
  })
  return report === undefined ? actor : { ...actor, on: { ...actor.on, ...report.on } }
}

function isContainerLog(log: FoundLog): log is ContainerLog {
  return 'pod' in log && 'containerName' in log
}

/** On demand: TLS and what comes with it is a tenth of what the thread loads. */
async function ownApi(options: KubernetesSourceOptions, whole: boolean): Promise<PodsApi | undefined> {
  if (options.api === 'off') return undefined
  const { openPodsApi } = await import('./kubernetes/open-api.js')
  return openPodsApi(options.kubeconfig, whole)
}
