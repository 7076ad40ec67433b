// Checks objects against the Kubernetes API's own schemas: values by kubernetes-models, unknown fields by the client library's types.
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject'
import {
  PrometheusRule,
  ServiceMonitor,
} from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'
import * as client from '@kubernetes/client-node'
import { DaemonSet, Deployment, StatefulSet } from 'kubernetes-models/apps/v1'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1'
import { ClusterRole, ClusterRoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1'
import { PriorityClass } from 'kubernetes-models/scheduling.k8s.io/v1'
import { ConfigMap, Namespace, Service, ServiceAccount } from 'kubernetes-models/v1'
import { saidOf } from '../../protocol/errors.js'
import { at, listAt, textOf, type Manifest } from './render.js'

type Validated = new (data: never) => { validate(): void }

/** By apiVersion and kind: an object of another kind or version is a problem by itself. */
const MODELS: Readonly<Record<string, Validated>> = {
  'v1 Namespace': Namespace,
  'v1 ServiceAccount': ServiceAccount,
  'v1 Service': Service,
  'v1 ConfigMap': ConfigMap,
  'apps/v1 DaemonSet': DaemonSet,
  'apps/v1 Deployment': Deployment,
  'apps/v1 StatefulSet': StatefulSet,
  'policy/v1 PodDisruptionBudget': PodDisruptionBudget,
  'networking.k8s.io/v1 NetworkPolicy': NetworkPolicy,
  'rbac.authorization.k8s.io/v1 ClusterRole': ClusterRole,
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': ClusterRoleBinding,
  'scheduling.k8s.io/v1 PriorityClass': PriorityClass,
  'monitoring.coreos.com/v1 ServiceMonitor': ServiceMonitor,
  'monitoring.coreos.com/v1 PrometheusRule': PrometheusRule,
  'keda.sh/v1alpha1 ScaledObject': ScaledObject,
}

/** Every problem of one object; none when the API server would take it. */
export function problemsOf(object: Manifest): string[] {
  const id = `${textOf(object['apiVersion'])} ${textOf(object['kind'])}`
  const model = MODELS[id]
  if (model === undefined) return [`${id}: no schema for it`]
  return [...valueProblems(id, model, object), ...fieldProblems(id, object)]
}

function valueProblems(id: string, model: Validated, object: Manifest): string[] {
  try {
    new model(object as never).validate()
    return []
  } catch (error) {
    return [`${id}: ${saidOf(error)}`]
  }
}

interface Attribute {
  readonly baseName: string
  readonly type: string
}
const TYPES = client as unknown as Readonly<
  Record<string, { getAttributeTypeMap?: () => readonly Attribute[] } | undefined>
>

/** The schemas let unknown fields pass, and the API server drops them: a misspelt `readOnlyRootFilesystem` would protect nothing. */
function fieldProblems(id: string, object: Manifest): string[] {
  const kind = textOf(object['kind'])
  switch (kind) {
    case 'PrometheusRule': // promtool is as strict
      return strangers(id, at(object, 'spec'), ['groups'])
    case 'ServiceMonitor':
      return [
        ...strangers(`${id} spec`, at(object, 'spec'), [
          'selector',
          'endpoints',
          'jobLabel',
          'namespaceSelector',
        ]),
        ...listAt(object, 'spec', 'endpoints').flatMap((endpoint) =>
          strangers(`${id} endpoint`, endpoint, ['port', 'path', 'interval', 'scrapeTimeout', 'relabelings']),
        ),
      ]
    case 'ScaledObject':
      return scaledObjectProblems(id, object)
    default:
      return unknownFields(object, `V1${kind}`, id)
  }
}

/** Trigger metadata is free text to the schema; the names are those of KEDA's scaler nats-jetstream; test/real/nats-conf.real.ts asks servers as it does. */
function scaledObjectProblems(id: string, object: Manifest): string[] {
  const spec = [
    'scaleTargetRef',
    'minReplicaCount',
    'maxReplicaCount',
    'pollingInterval',
    'cooldownPeriod',
    'advanced',
    'triggers',
  ]
  const metadata = [
    'natsServerMonitoringEndpoint',
    'account',
    'stream',
    'consumer',
    'lagThreshold',
    'activationLagThreshold',
  ]
  return [
    ...strangers(`${id} spec`, at(object, 'spec'), spec),
    ...listAt(object, 'spec', 'triggers').flatMap((trigger) => [
      ...strangers(`${id} trigger`, trigger, ['type', 'metadata']),
      ...strangers(`${id} trigger metadata`, at(trigger, 'metadata'), metadata),
      ...metadata
        .filter((key) => textOf(at(trigger, 'metadata', key)) === '')
        .map((key) => `${id} trigger metadata: no ${key}`),
    ]),
    ...unknownFields(
      at(object, 'spec', 'advanced', 'horizontalPodAutoscalerConfig', 'behavior'),
      'V2HorizontalPodAutoscalerBehavior',
      `${id} behavior`,
    ),
  ]
}

function strangers(where: string, value: Manifest | undefined, known: readonly string[]): string[] {
  return Object.keys(value ?? {})
    .filter((key) => !known.includes(key))
    .map((key) => `${where}: unknown field ${key}`)
}

function unknownFields(value: Manifest | undefined, type: string, where: string): string[] {
  if (value === undefined || value === null || typeof value !== 'object') return []
  const list = /^Array<(.+)>$/.exec(type)
  if (list !== null) {
    const entries = Array.isArray(value) ? (value as readonly Manifest[]) : []
    return entries.flatMap((entry, n) => unknownFields(entry, list[1] ?? '', `${where}[${n}]`))
  }
  const attributes = TYPES[type]?.getAttributeTypeMap?.()
  // A map of texts, a quantity, a text: the models have checked it.
  if (attributes === undefined) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    const attribute = attributes.find(({ baseName }) => baseName === key)
    return attribute === undefined
      ? [`${where}: unknown field ${key}`]
      : unknownFields(inner, attribute.type, `${where}.${key}`)
  })
}
