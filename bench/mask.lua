-- What a platform team writes when it has Envoy's own filters only: three patterns over the whole,
-- buffered body. It has no checksum, no JSON, no record; that makes it faster, not slower.
function envoy_on_response(handle)
  local body = handle:body()
  if body == nil then
    return
  end
  local text = body:getBytes(0, body:length())
  text = text:gsub("[%w._%%+-]+@[%w-]+%.[%w.-]+", "[EMAIL]")
  text = text:gsub("%d%d%d%d[ -]?%d%d%d%d[ -]?%d%d%d%d[ -]?%d%d%d%d", "[CARD]")
  text = text:gsub("sk%-[%w_-]+", "[KEY]")
  body:setBytes(text)
end
