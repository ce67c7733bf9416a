-- SPDX-License-Identifier: Apache-2.0
-- Coroutines, patterns, errors, the garbage collector, files.

local function squares(last)
	return coroutine.wrap(function()
		for i = 1, last do
			coroutine.yield(i * i)
		end
	end)
end

local found = {}
for square in squares(10) do
	found[#found + 1] = ("%d"):format(square)
end
print(table.concat(found, " "))

local name = os.tmpname()
local file = assert(io.open(name, "w"))
for i = 1, 1000 do
	file:write(i, "\n")
end
file:close()
local sum = 0
for line in io.lines(name) do
	sum = sum + tonumber(line)
end
assert(os.remove(name))
print("sum", sum, io.open(name) == nil)

print(pcall(error, "thrown"))
print(select(2, pcall(string.rep, "x", -1)) == "", ("key=value"):match("(%w+)=(%w+)"))

for i = 1, 20000 do
	found = { i, tostring(i) }
end
collectgarbage()
print("kept", #found, collectgarbage("count") < 1000, math.maxinteger, 7 // 2, 2 ^ 0.5)
os.exit(4)
