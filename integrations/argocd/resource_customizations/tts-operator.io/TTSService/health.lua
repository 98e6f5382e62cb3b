-- The health of a TTSService for Argo CD, decided from its conditions; unknown ones are passed over.
-- Uses no library of Lua, so that it runs from argocd-cm, where Argo CD opens almost none.
local metadata = obj.metadata or {}
local status = obj.status or {}

if metadata.deletionTimestamp ~= nil then
  return {status = "Progressing", message = "it is being deleted"}
end
if status.observedGeneration ~= metadata.generation then
  return {status = "Progressing", message = "the operator has not yet seen what the spec says now"}
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

-- The first of these conditions that is True decides. Stalled and Reconciling are never True together.
local verdicts = {
  {condition = "Stalled", health = "Degraded"},
  {condition = "Paused", health = "Suspended"},
  {condition = "Reconciling", health = "Progressing"},
  {condition = "Ready", health = "Healthy"},
}
for _, verdict in ipairs(verdicts) do
  local found = conditions[verdict.condition]
  if found ~= nil and found.status == "True" then
    return {status = verdict.health, message = found.message}
  end
end

local message = "the operator has not yet reported"
if conditions.Ready ~= nil then
  message = conditions.Ready.message
end
return {status = "Progressing", message = message}
