/* dns_answer: the first byte chooses the type, the rest is the answer to a
   question about d.example */
#include <assert.h>
#include <string.h>

#include "net/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned types[] = {
	    DNS_TYPE_MX, DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_PTR};
	struct dns_records records;
	enum dns_status status;

	if (size == 0)
		return 0;
	status =
	    dns_answer_read((struct span){(const char *)data + 1, size - 1},
		span_of("d.example"), types[data[0] % 4], &records);
	assert((status == DNS_FOUND) == (records.count > 0));
	assert(records.count <= DNS_RECORDS_MAX);
	for (size_t i = 0; i < records.count; i++)
		assert(strlen(records.list[i].name) < DNS_NAME_SIZE);
	dns_records_free(&records);
	return 0;
}
