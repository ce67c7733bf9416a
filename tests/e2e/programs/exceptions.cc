// SPDX-License-Identifier: Apache-2.0
// Threads that throw through each other's frames, and tell what they have caught.
#include <future>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int THREADS = 8;
constexpr int DEPTH = 20;

class Counted {
public:
	explicit Counted(int &count) : count(count) { ++count; }
	~Counted() { --count; }
	Counted(const Counted &) = delete;

private:
	int &count;
};

thread_local int alive;

void descend(int left, int number)
{
	Counted here(alive);

	if (!left)
		throw std::out_of_range("thread " + std::to_string(number) + ", " + std::to_string(alive) + " frames");
	descend(left - 1, number);
}

std::string work(int number)
{
	try {
		descend(DEPTH, number);
	} catch (const std::logic_error &error) {
		return error.what() + std::string(", then ") + std::to_string(alive);
	}
	return "nothing was thrown";
}

} // namespace

int main()
{
	std::vector<std::future<std::string>> said;
	std::mutex mutex;
	long sum = 0;
	std::vector<std::thread> threads;

	for (int i = 0; i < THREADS; i++)
		said.push_back(std::async(std::launch::async, work, i));
	for (auto &each : said)
		std::cout << each.get() << '\n';
	for (int i = 0; i < THREADS; i++)
		threads.emplace_back([&, i] {
			const std::lock_guard<std::mutex> guard(mutex);
			sum += i;
		});
	for (auto &each : threads)
		each.join();
	auto failed = std::async(std::launch::async, []() -> int { throw std::runtime_error("by way of a future"); });
	try {
		failed.get();
	} catch (const std::exception &error) {
		std::cout << error.what() << ", sum " << sum << std::endl;
	}
	return 5;
}
